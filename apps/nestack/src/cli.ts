import { Command, InvalidArgumentError, Option } from 'commander';
import { UserError } from './user-error';

function integer(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new InvalidArgumentError('not a whole number');
  return value;
}

const offset = (text: string): number => {
  const value = integer(text);
  if (value > 39_000) throw new InvalidArgumentError('ports would exceed 65535 (39000 at most)');
  return value;
};

function build(): Command {
  const program = new Command('nestack')
    .description("OpenStack's core services on this machine")
    .showHelpAfterError()
    .addHelpText('after', '\nnestack test [--only STAGE,...] runs the tests.');
  const command = (name: string, description: string): Command =>
    program
      .command(name)
      .description(description)
      .option('--state <dir>', 'folder of the cloud (default: .nestack here)');

  command('up', 'bring the cloud up; what is missing is installed and made, what is there is kept')
    .option('--port-offset <n>', 'added to every port, for clouds beside each other', offset)
    .addOption(new Option('--virt <driver>', 'guests: real or simulated').choices(['libvirt', 'fake']))
    .addOption(new Option('--net <driver>', 'networks: real or simulated').choices(['linuxbridge', 'fake']))
    .addOption(new Option('--volume <driver>', 'volumes: real or simulated').choices(['nbd', 'fake']))
    .option('--bind <address>', 'address that services listen on (default: 127.0.0.1)')
    .option('--database-url <url>', "administrator's URL of an existing PostgreSQL")
    .option('--broker-url <url>', 'URL of an existing RabbitMQ')
    .option('--separate', 'each service in a process of its own, instead of one process for all')
    .option('--client', 'install the openstack command too')
    .option('--no-image', 'do without the small Linux image')
    .action(async (options) => (await import('./commands/up')).up(options));
  command('down', 'stop everything cleanly; guests are shut down and kept').action(async (options) =>
    (await import('./commands/down')).down(options),
  );
  command('reset', 'remove the cloud with all its data')
    .option('--yes', 'do not ask')
    .action(async (options) => (await import('./commands/down')).reset(options));
  command('status', 'the health of each part')
    .option('--json', 'as JSON')
    .action(async (options) => (await import('./commands/status')).status(options));
  command('doctor', 'what the machine lacks, and how to get it').action(async (options) =>
    (await import('./commands/doctor')).doctor(options),
  );
  command('logs', 'log lines of all services or of one')
    .argument('[service]', 'service (nova-compute) or process (controller, postgres, rabbitmq)')
    .option('-f, --follow', 'go on with new lines')
    .option('-n, --lines <n>', 'how many', integer, 50)
    .option('--json', 'lines as they are')
    .action(async (service, options) => (await import('./commands/logs')).logs(service, options));
  command('trace', 'draw how a request went through the services')
    .argument('<id>', 'id of a request, a server or anything else')
    .option('--mermaid', 'as Mermaid text')
    .option('--html <file>', 'as a web page of its own')
    .option('--json', 'as JSON')
    .option('-f, --follow', 'go on with new records')
    .option('--width <columns>', 'width of the drawing', integer)
    .action(async (id, options) => (await import('./commands/trace')).trace(id, options));
  command('demo', 'the main job, narrated: from a token to a guest with a volume, and back').action(async (options) =>
    (await import('./demo/demo')).demo(options),
  );
  command('bench', 'measure the cloud')
    .option('--json <file>', 'write the results as JSON too')
    .option('--only <names>', 'some scenarios, separated by commas')
    .option('--scale <factor>', 'multiplies the run counts', Number, 1)
    .option('--boot', 'measure the start too: stops and starts the cloud')
    .action(async (options) => (await import('./bench/bench')).bench(options));

  command('conformance', "OpenStack's own integration tests (Tempest) against the running cloud")
    .option('--only <groups>', 'interop (default), identity, image, volume, network, compute, scenario; with commas')
    .option('--tests <regex>', 'only tests whose names match')
    .option('--workers <n>', 'tests at the same time (default: 8, with real guests 3)', integer)
    .option('--markdown <file>', 'write the table there too')
    .option('--json <file>', 'write the result of each test there')
    .action(async (options) => (await import('./conformance/conformance')).conformance(options));

  command('fuzz', "random requests to every service, judged by the service's own OpenAPI document")
    .option('--only <services>', 'keystone, glance, placement, nova, cinder, neutron; with commas (default: all)')
    .option('--requests <n>', 'to each service', integer, 5000)
    .option('--seed <n>', 'the same number makes the same requests', integer, 1)
    .option('--json <file>', 'write the totals there too')
    .action(async (options) => (await import('./fuzz/fuzz')).fuzz(options));

  const compute = program.command('compute').description('compute hosts on this machine');
  compute
    .command('add')
    .description('a further host in its own network namespace')
    .argument('<name>')
    .option('--state <dir>', 'folder of the cloud')
    .action(async (name, options) => (await import('./commands/compute')).addCompute(name, options));
  compute
    .command('remove')
    .description('remove a host without servers')
    .argument('<name>')
    .option('--state <dir>', 'folder of the cloud')
    .action(async (name, options) => (await import('./commands/compute')).removeCompute(name, options));
  program
    .command('install')
    .description('install what tests or a cloud need of the machine')
    .addOption(new Option('--for <purpose>', 'what for').choices(['test', 'up']).default('up'))
    .action(async (options) => (await import('./commands/install')).install(options));

  command('bootstrap', 'for services in containers: prepare databases, keys and settings, then fill the cloud')
    .addOption(
      new Option('--phase <name>', 'before or after the services start')
        .choices(['prepare', 'cloud'])
        .makeOptionMandatory(),
    )
    .requiredOption('--database-url <url>', "administrator's URL of PostgreSQL")
    .requiredOption('--broker-url <url>', 'URL of RabbitMQ')
    .addOption(new Option('--virt <driver>', 'guests').choices(['libvirt', 'fake']).default('fake'))
    .addOption(new Option('--net <driver>', 'networks').choices(['linuxbridge', 'fake']).default('fake'))
    .addOption(new Option('--volume <driver>', 'volumes').choices(['nbd', 'fake']).default('fake'))
    .option('--public-host <name>', 'name or address that clients use', '127.0.0.1')
    .action(async (options) => (await import('./commands/bootstrap')).bootstrapCommand(options));

  program
    .command('supervise', { hidden: true })
    .requiredOption('--state <dir>')
    .action(async (options: { state: string }) => {
      const note = (text: string): void => void process.stdout.write(`${new Date().toISOString()} ${text}\n`);
      await (await import('./supervisor/supervisor')).supervise(options.state, note);
    });
  return program;
}

// A reader such as head may end before we do.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

try {
  await build().parseAsync();
} catch (error) {
  if (!(error instanceof UserError)) throw error;
  process.stderr.write(`nestack: ${error.message}\n${error.advice === null ? '' : `${error.advice}\n`}`);
  process.exitCode = 1;
}
