import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { TestPlacement, told, type Answer, type CallOptions } from './test-app';

process.env['NESTACK_CHECK_RESPONSES'] = '1';
jest.setTimeout(60_000);

/** What comes at once: one of them is done, the others hear why not, and what is written holds together. */
let placement: TestPlacement;
const call = (method: string, path: string, options?: CallOptions): Promise<Answer> =>
  placement.call(method, path, options);
const many = (count: number, one: (at: number) => Promise<Answer>): Promise<Answer[]> =>
  Promise.all(Array.from({ length: count }, (_, at) => one(at)));

beforeAll(async () => {
  placement = await TestPlacement.start();
});

afterAll(() => placement.close());

/** A name that no other try of a test has taken. */
const fresh = (): string => randomUUID().replaceAll('-', '').toUpperCase();

/** How often each answer came, errors with their code. */
function outcome(answers: readonly Answer[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const answer of answers) {
    const code = answer.status < 400 ? '' : ` ${told(answer).code ?? ''}`;
    const key = `${String(answer.status)}${code}`;
    counts[key] = (counts[key] ?? 0) + 1;
  }
  return counts;
}

describe('fifty at once', () => {
  it('make a provider, a class and a trait of one name once', async () => {
    const same = fresh();
    const providers = await many(50, () => call('POST', '/resource_providers', { body: { name: same } }));
    expect(outcome(providers)).toEqual({ 200: 1, '409 placement.duplicate_name': 49 });
    const uuid = randomUUID();
    const twins = await many(50, (at) =>
      call('POST', '/resource_providers', { body: { name: `${same}-${String(at)}`, uuid } }),
    );
    expect(outcome(twins)).toEqual({ 200: 1, '409 placement.duplicate_name': 49 });
    const classes = await many(50, () => call('POST', '/resource_classes', { body: { name: `CUSTOM_${same}` } }));
    expect(outcome(classes)).toEqual({ 201: 1, '409 placement.undefined_code': 49 });
    for (const path of [`/traits/CUSTOM_${same}`, `/resource_classes/CUSTOM_TOO_${same}`]) {
      expect([path, outcome(await many(50, () => call('PUT', path)))]).toEqual([path, { 201: 1, 204: 49 }]);
      expect([path, outcome(await many(10, () => call('DELETE', path)))]).toEqual([
        path,
        { 204: 1, '404 placement.undefined_code': 9 },
      ]);
    }
    const gone = await many(10, () => call('DELETE', `/resource_providers/${uuid}`));
    expect(outcome(gone)).toEqual({ 204: 1, '404 placement.undefined_code': 9 });
  });

  it('change a provider under one generation once', async () => {
    const uuid = await placement.provider(fresh());
    const at = `/resource_providers/${uuid}`;
    const changes: readonly (readonly [string, Record<string, unknown>])[] = [
      ['inventories', { inventories: { VCPU: { total: 4 } } }],
      ['inventories/VCPU', { total: 8 }],
      ['traits', { traits: ['HW_CPU_X86_VMX'] }],
      ['aggregates', { aggregates: [randomUUID()] }],
    ];
    for (const [path, fields] of changes) {
      const before = await placement.generation(uuid);
      const body = { resource_provider_generation: before, ...fields };
      const answers = await many(50, () => call('PUT', `${at}/${path}`, { body }));
      expect([path, outcome(answers)]).toEqual([path, { 200: 1, '409 placement.concurrent_update': 49 }]);
      expect([path, await placement.generation(uuid)]).toEqual([path, before + 1]);
    }
    // Of all kinds: one as well.
    const generation = await placement.generation(uuid);
    const mixed = await many(48, (index) => {
      const [path, fields] = changes[index % changes.length] ?? ['', {}];
      return call('PUT', `${at}/${path}`, { body: { resource_provider_generation: generation, ...fields } });
    });
    expect(outcome(mixed)).toEqual({ 200: 1, '409 placement.concurrent_update': 47 });
  });

  it('get what is left of a full inventory, a unit each', async () => {
    const uuid = await placement.provider(fresh());
    await placement.inventory(uuid, { VCPU: { total: 10 }, MEMORY_MB: { total: 700 } });
    const first = await many(50, () => placement.allocate(randomUUID(), { [uuid]: { VCPU: 1, MEMORY_MB: 100 } }));
    expect(outcome(first)).toEqual({ 204: 7, '409 placement.undefined_code': 43 });
    // Nothing is left of what was refused: a part of it fits.
    const second = await many(50, () => placement.allocate(randomUUID(), { [uuid]: { VCPU: 1 } }));
    expect(outcome(second)).toEqual({ 204: 3, '409 placement.undefined_code': 47 });
    const usages = (await call('GET', `/resource_providers/${uuid}/usages`)).json['usages'];
    expect(usages).toEqual({ VCPU: 10, MEMORY_MB: 700 });
    const shown = (await call('GET', `/resource_providers/${uuid}/allocations`)).json['allocations'];
    const consumers = Object.keys(shown as object);
    expect(consumers).toHaveLength(10);
    // Freed once by one of two, and taken anew by as many as fit.
    const freed = await Promise.all([...consumers, ...consumers].map((one) => call('DELETE', `/allocations/${one}`)));
    expect(outcome(freed)).toEqual({ 204: 10, '404 placement.undefined_code': 10 });
    const third = await many(50, () => placement.allocate(randomUUID(), { [uuid]: { VCPU: 2, MEMORY_MB: 1 } }));
    expect(outcome(third)).toEqual({ 204: 5, '409 placement.undefined_code': 45 });
  });
});

describe('what is used while it is deleted', () => {
  it('is used, or is gone, and nothing hangs in the air', async () => {
    for (let round = 0; round < 4; round += 1) {
      const uuid = await placement.provider(fresh());
      const name = `CUSTOM_${fresh()}`;
      await call('PUT', `/resource_classes/${name}`);
      await call('PUT', `/traits/${name}`);
      await placement.inventory(uuid, { VCPU: { total: 50 } });
      const generation = await placement.generation(uuid);
      const consumers = Array.from({ length: 20 }, () => randomUUID());
      const claim = (one: string) => placement.allocate(one, { [uuid]: { VCPU: 1 } });
      const removal = () => call('DELETE', `/resource_providers/${uuid}`);
      const half = consumers.slice(0, 10);
      const rest = consumers.slice(10);
      const [claims, gone, , , trait, kind, child] = await Promise.all([
        Promise.all((round % 2 === 0 ? half : []).map(claim)),
        removal(),
        Promise.all((round % 2 === 0 ? rest : consumers).map(claim)),
        call('PUT', `/resource_providers/${uuid}/traits`, {
          body: { resource_provider_generation: generation, traits: [name] },
        }),
        call('DELETE', `/traits/${name}`),
        call('DELETE', `/resource_classes/${name}`),
        call('POST', '/resource_providers', { body: { name: fresh(), parent_provider_uuid: uuid } }),
        call('POST', `/resource_providers/${uuid}/inventories`, { body: { resource_class: name, total: 1 } }),
      ]);
      for (const { status } of [...claims, gone, trait, kind, child]) expect(status).toBeLessThan(500);
      const shown = await call('GET', `/resource_providers/${uuid}`);
      expect([204, 409]).toContain(gone.status);
      expect([gone.status, shown.status]).toEqual(gone.status === 204 ? [204, 404] : [409, 200]);
      const held = await Promise.all(
        consumers.map(async (one) => Object.keys((await call('GET', `/allocations/${one}`)).json['allocations'] ?? {})),
      );
      expect(held.flat().length === 0 || shown.status === 200).toBe(true);
      if (child.status === 200) expect(shown.status).toBe(200);
      if (shown.status === 200) {
        const traits = (await call('GET', `/resource_providers/${uuid}/traits`)).json['traits'] as string[];
        const known = (await call('GET', `/traits/${name}`)).status === 204;
        expect(traits.length === 0 || known).toBe(true);
        const inventories = (await call('GET', `/resource_providers/${uuid}/inventories`)).json['inventories'];
        const classKnown = (await call('GET', `/resource_classes/${name}`)).status === 200;
        expect(!(name in (inventories as object)) || classKnown).toBe(true);
      }
    }
  });

  it('is refused while it is used, and only as long', async () => {
    const used = `CUSTOM_${fresh()}`;
    const uuid = await placement.provider(used);
    const child = await placement.provider(fresh(), { parent_provider_uuid: uuid });
    await call('PUT', `/resource_classes/${used}`);
    await call('PUT', `/traits/${used}`);
    await placement.inventory(uuid, { [used]: { total: 2 } });
    await call('PUT', `/resource_providers/${uuid}/traits`, {
      body: { resource_provider_generation: await placement.generation(uuid), traits: [used] },
    });
    const consumer = randomUUID();
    expect((await placement.allocate(consumer, { [uuid]: { [used]: 1 } })).status).toBe(204);
    const refused = async (path: string): Promise<string> => {
      const answer = await call('DELETE', path);
      return `${String(answer.status)} ${answer.status < 400 ? '' : (told(answer).code ?? '')}`;
    };
    const at = `/resource_providers/${uuid}`;
    expect(await refused(`/traits/${used}`)).toBe('409 placement.undefined_code');
    expect(await refused(`/resource_classes/${used}`)).toBe('409 placement.undefined_code');
    expect(await refused(`${at}/inventories/${used}`)).toBe('409 placement.concurrent_update');
    expect(await refused(`${at}/inventories`)).toBe('409 placement.inventory.inuse');
    expect(await refused(at)).toBe('409 placement.resource_provider.cannot_delete_parent');
    expect(await refused(`/resource_providers/${child}`)).toBe('204 ');
    expect(await refused(at)).toBe('409 placement.resource_provider.inuse');
    expect((await call('DELETE', `/allocations/${consumer}`)).status).toBe(204);
    for (const path of [at, `/traits/${used}`, `/resource_classes/${used}`])
      expect([path, await refused(path)]).toEqual([path, '204 ']);
  });

  it('makes no loops of trees that are turned at once', async () => {
    for (let round = 0; round < 4; round += 1) {
      const [one, two, three] = await Promise.all([1, 2, 3].map(() => placement.provider(fresh())));
      const under = (uuid = '', parent = '') =>
        call('PUT', `/resource_providers/${uuid}`, { body: { name: `loop-${uuid}`, parent_provider_uuid: parent } });
      const answers = await Promise.all([under(one, two), under(two, three), under(three, one)]);
      // Two of the three are possible at most; none of them is an error of the service.
      for (const { status } of answers) expect([200, 400, 409]).toContain(status);
      expect(answers.filter(({ status }) => status === 200).length).toBeLessThan(3);
      const all = (await call('GET', '/resource_providers')).json['resource_providers'] as {
        uuid: string;
        parent_provider_uuid: string | null;
        root_provider_uuid: string;
      }[];
      const byId = new Map(all.map((provider) => [provider.uuid, provider]));
      for (const provider of all) {
        let top = provider;
        for (let depth = 0; top.parent_provider_uuid !== null; depth += 1) {
          expect(depth).toBeLessThan(3);
          top = byId.get(top.parent_provider_uuid) ?? top;
        }
        expect([provider.uuid, provider.root_provider_uuid]).toEqual([provider.uuid, top.uuid]);
      }
    }
  });
});
