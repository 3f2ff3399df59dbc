import { aptInstall, explainMissing, whyNoApt } from '../install/apt';
import { conformanceNeeds, fuzzNeeds, missingOf, needsOf, networkTestNeeds } from '../install/needs';

/**
 * Installs what tests or a cloud need of the machine, where it may; says what is missing where it may not. Only a failed
 * installation is an error.
 */
export async function install(options: { readonly for: string }): Promise<void> {
  const tests = options.for === 'test';
  const brokerUrl = tests ? (process.env['NESTACK_TEST_AMQP_URL'] ?? null) : null;
  const missing = missingOf([
    ...needsOf({ virt: 'libvirt', net: 'linuxbridge', volume: 'nbd', brokerUrl, client: tests, image: true }),
    ...(tests ? [...networkTestNeeds(), ...conformanceNeeds(), ...fuzzNeeds()] : []),
  ]);
  if (missing.length === 0) return;
  const reason = whyNoApt();
  if (reason !== null) {
    process.stdout.write(
      `Not installed, since ${reason}:\n${explainMissing(missing)
        .map((line) => `  ${line}\n`)
        .join('')}`,
    );
    return;
  }
  const packages = [...new Set(missing.map((need) => need.package))];
  process.stdout.write(`Installing ${packages.join(', ')}\n`);
  await aptInstall(packages, (text) => process.stdout.write(`  ${text}\n`));
}
