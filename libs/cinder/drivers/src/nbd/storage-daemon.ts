import { closeSync, openSync } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { alive, startDaemon, stopPid } from '@nestack/kernel/process';
import type { RequestContext } from '@nestack/kernel/context';
import type { Logger } from '@nestack/kernel/log';
import { DomainError } from '@nestack/kernel/errors';
import { QmpClient, QmpError } from './qmp-client';

/** Where a daemon serves NBD. */
export type NbdListener =
  | { readonly type: 'unix'; readonly path: string }
  | { readonly type: 'inet'; readonly host: string; readonly port: number };

export interface StorageDaemonOptions {
  /** Folder of its control socket, process id and log. */
  readonly dir: string;
  readonly listener: NbdListener;
  readonly log: Logger;
  /** Called when the daemon goes away unasked, and with it all that it served. */
  readonly onLoss: () => void;
}

/** A node, the job that copies it, and the node and file that it is copied into. */
export interface Copy {
  readonly node: string;
  readonly job: string;
  readonly target: string;
  readonly file: string;
}

interface ExportInfo {
  readonly id: string;
  readonly 'node-name': string;
  readonly 'shutting-down': boolean;
}

interface NodeInfo {
  readonly 'node-name': string;
  readonly ro: boolean;
  readonly image: { readonly 'virtual-size': number };
}

const START_MS = 15_000;
const PROGRAM = 'qemu-storage-daemon';

/**
 * A qemu-storage-daemon that serves volumes over NBD. It is no child of ours in the end: it outlives this process, since
 * guests are using it, and is found again by its control socket. It runs only while it serves something.
 */
export class StorageDaemon {
  private client: QmpClient | null = null;
  private turn: Promise<unknown> = Promise.resolve();

  constructor(private readonly options: StorageDaemonOptions) {}

  /** Serves a block node as an export under a name; the node is added when it is not there. */
  ensureExport(
    ctx: RequestContext,
    exported: { readonly id: string; readonly name: string; readonly node: string; readonly writable: boolean },
    node: Readonly<Record<string, unknown>>,
  ): Promise<void> {
    return this.exclusive(async () => {
      const qmp = await this.started(ctx);
      if ((await this.find(qmp, exported.id)) !== null) return;
      const added = !(await this.nodes(qmp)).some((one) => one['node-name'] === exported.node);
      if (added) await qmp.execute('blockdev-add', { ...node, 'node-name': exported.node });
      try {
        await qmp.execute('block-export-add', {
          type: 'nbd',
          id: exported.id,
          name: exported.name,
          'node-name': exported.node,
          writable: exported.writable,
        });
      } catch (error) {
        if (added) await this.absentNode(qmp, exported.node);
        throw error;
      }
    });
  }

  /** Ends an export, whoever uses it. */
  absentExport(id: string): Promise<void> {
    return this.exclusive(async () => {
      const qmp = await this.running();
      if (qmp === null || (await this.find(qmp, id)) === null) return;
      await qmp.execute('block-export-del', { id, mode: 'hard' }).catch(ignoreMissing);
      await this.untilEnded(qmp, id);
    });
  }

  /** Ends an export unless it has clients; whether it has ended. */
  endUnusedExport(id: string): Promise<boolean> {
    return this.exclusive(async () => {
      const qmp = await this.running();
      if (qmp === null || (await this.find(qmp, id)) === null) return true;
      try {
        await qmp.execute('block-export-del', { id, mode: 'safe' });
      } catch (error) {
        if (error instanceof QmpError && /in use/i.test(error.description)) return false;
        ignoreMissing(error);
      }
      await this.untilEnded(qmp, id);
      return true;
    });
  }

  /** Removes nodes that no export uses; the daemon ends when it serves nothing any more. */
  absentNodes(which: (node: string) => boolean): Promise<void> {
    return this.exclusive(async () => {
      const qmp = await this.running();
      if (qmp === null) return;
      for (const node of await this.nodes(qmp))
        if (which(node['node-name'])) await this.absentNode(qmp, node['node-name']);
      if ((await this.list(qmp)).length === 0) await this.stop(qmp);
    });
  }

  /** Makes a raw node see the size that its file has now; exports that begin afterwards tell it. */
  ensureNodeSize(node: string, file: string, bytes: number): Promise<void> {
    return this.exclusive(async () => {
      const qmp = await this.running();
      const nodes = qmp === null ? [] : await this.nodes(qmp);
      const found = nodes.find((one) => one['node-name'] === node);
      if (qmp === null || found === undefined || found.image['virtual-size'] >= bytes) return;
      // The size of a file is looked at when it is opened: it is opened once more, and put in the other's place.
      const opened = `${fileNodes(node)}${String(bytes)}`;
      const options = { 'read-only': found.ro, discard: 'unmap' };
      await qmp.execute('blockdev-del', { 'node-name': opened }).catch(ignoreMissing);
      await qmp.execute('blockdev-add', { driver: 'file', filename: file, ...options, 'node-name': opened });
      await qmp.execute('blockdev-reopen', {
        options: [{ driver: 'raw', 'node-name': node, ...options, file: opened }],
      });
      for (const { 'node-name': other } of nodes)
        if (other !== opened && other.startsWith(fileNodes(node)))
          await qmp.execute('blockdev-del', { 'node-name': other });
    });
  }

  /** Names of all exports; none when the daemon does not run. */
  exports(): Promise<readonly string[]> {
    return this.exclusive(async () => {
      const qmp = await this.running();
      return qmp === null ? [] : (await this.list(qmp)).map((one) => one.id);
    });
  }

  /**
   * Copies nodes' contents as they are at one moment into raw files of the same sizes, while guests write on. Answers the
   * nodes that were copied: the others are not the daemon's. One that fails ends all.
   */
  async backup(copies: readonly Copy[]): Promise<ReadonlySet<string>> {
    const started = await this.exclusive(async () => {
      const qmp = await this.running();
      if (qmp === null) return null;
      const nodes = new Set((await this.nodes(qmp)).map((one) => one['node-name']));
      const mine = copies.filter((one) => nodes.has(one.node));
      if (mine.length === 0) return null;
      for (const copy of mine) {
        await this.absentJob(qmp, copy.job);
        await this.absentNode(qmp, copy.target);
        await qmp.execute('blockdev-add', {
          driver: 'raw',
          'node-name': copy.target,
          discard: 'unmap',
          'detect-zeroes': 'unmap',
          file: { driver: 'file', filename: copy.file, discard: 'unmap' },
        });
      }
      const completions = mine.map((copy) => this.completionOf(qmp, copy.job));
      try {
        await qmp.execute('transaction', {
          actions: mine.map((copy) => ({
            type: 'blockdev-backup',
            data: { 'job-id': copy.job, device: copy.node, target: copy.target, sync: 'full' },
          })),
          properties: { 'completion-mode': 'grouped' },
        });
      } catch (error) {
        for (const completion of completions) completion.forget();
        for (const copy of mine) await this.absentNode(qmp, copy.target);
        throw error;
      }
      return { qmp, mine, done: completions.map((one) => one.done) };
    });
    if (started === null) return new Set();
    try {
      const results = await Promise.allSettled(started.done);
      const failed = results.find((one) => one.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
    } finally {
      await this.exclusive(async () => {
        for (const copy of started.mine) await this.absentNode(started.qmp, copy.target);
      });
    }
    return new Set(started.mine.map((one) => one.node));
  }

  /** Lets go of the connection; the daemon goes on. */
  close(): void {
    const client = this.client;
    this.client = null;
    client?.close();
  }

  private get control(): string {
    return path.join(this.options.dir, 'qmp.sock');
  }

  private get pidFile(): string {
    return path.join(this.options.dir, 'pid');
  }

  /** The daemon's control connection, or null when it does not run. */
  private async running(): Promise<QmpClient | null> {
    if (this.client?.alive === true) return this.client;
    this.client = null;
    try {
      const client = await QmpClient.open(this.control);
      this.client = client;
      client.onEnd(() => {
        if (this.client === client) this.options.onLoss();
      });
      return client;
    } catch {
      // Nobody listens: it does not run, or not any more.
      return null;
    }
  }

  private async started(ctx: RequestContext): Promise<QmpClient> {
    const known = await this.running();
    if (known !== null) return known;
    const { dir, listener, log } = this.options;
    await mkdir(dir, { recursive: true, mode: 0o711 });
    // One that hangs without answering would hold the files' locks.
    const old = await this.pid();
    if (old !== null) await stopPid(old, { graceMs: 1000 });
    const address =
      listener.type === 'unix'
        ? `addr.type=unix,addr.path=${escaped(listener.path)}`
        : `addr.type=inet,addr.host=${listener.host},addr.port=${String(listener.port)}`;
    const fd = openSync(path.join(dir, 'log'), 'a', 0o600);
    try {
      const child = await startDaemon(
        PROGRAM,
        [
          '--chardev',
          `socket,id=qmp,path=${escaped(this.control)},server=on,wait=off`,
          '--monitor',
          'chardev=qmp,mode=control',
          '--nbd-server',
          `${address},max-connections=0`,
          '--pidfile',
          this.pidFile,
        ],
        { cwd: dir, logFd: fd },
      );
      child.unref();
      log.info(ctx, 'storage_daemon.started', { pid: child.pid, listener });
      const end = Date.now() + START_MS;
      for (;;) {
        const qmp = await this.running();
        if (qmp !== null) return qmp;
        if (child.exitCode !== null || child.signalCode !== null || Date.now() > end)
          throw unavailable(`${PROGRAM} did not start: ${await this.lastWords()}`);
        await delay(15);
      }
    } finally {
      closeSync(fd);
    }
  }

  private async stop(qmp: QmpClient): Promise<void> {
    const pid = await this.pid();
    this.client = null;
    await qmp.execute('quit').catch(() => undefined);
    qmp.close();
    if (pid !== null) await stopPid(pid, { graceMs: 5000 });
    await Promise.all(['qmp.sock', 'pid', 'log'].map((name) => rm(path.join(this.options.dir, name), { force: true })));
    if (this.options.listener.type === 'unix') await rm(this.options.listener.path, { force: true });
  }

  /** The process id that the daemon wrote, while it is still that program's. */
  private async pid(): Promise<number | null> {
    try {
      const pid = Number((await readFile(this.pidFile, 'utf8')).trim());
      const command = await readFile(`/proc/${String(pid)}/cmdline`, 'utf8');
      return Number.isInteger(pid) && alive(pid) && command.includes(PROGRAM) ? pid : null;
    } catch {
      // There is no such file or process.
      return null;
    }
  }

  private async lastWords(): Promise<string> {
    const text = await readFile(path.join(this.options.dir, 'log'), 'utf8').catch(() => '');
    return text.trim().split('\n').slice(-3).join(' ');
  }

  private async list(qmp: QmpClient): Promise<readonly ExportInfo[]> {
    return (await qmp.execute('query-block-exports')) as readonly ExportInfo[];
  }

  private async find(qmp: QmpClient, name: string): Promise<ExportInfo | null> {
    return (await this.list(qmp)).find((one) => one.id === name) ?? null;
  }

  private async untilEnded(qmp: QmpClient, id: string): Promise<void> {
    for (let tries = 0; (await this.find(qmp, id)) !== null; tries += 1) {
      if (tries > 200) throw unavailable(`export ${id} does not end`);
      await delay(20);
    }
  }

  private async nodes(qmp: QmpClient): Promise<readonly NodeInfo[]> {
    return (await qmp.execute('query-named-block-nodes', { flat: true })) as readonly NodeInfo[];
  }

  private async absentNode(qmp: QmpClient, node: string): Promise<void> {
    await qmp.execute('blockdev-del', { 'node-name': node }).catch(ignoreMissing);
    // Those that were put in place of its first file.
    for (const { 'node-name': file } of await this.nodes(qmp))
      if (file.startsWith(fileNodes(node))) await qmp.execute('blockdev-del', { 'node-name': file });
  }

  private async absentJob(qmp: QmpClient, job: string): Promise<void> {
    for (let tries = 0; ; tries += 1) {
      const jobs = (await qmp.execute('query-jobs')) as { id: string; status: string }[];
      const found = jobs.find((one) => one.id === job);
      if (found === undefined) return;
      if (tries > 200) throw unavailable(`job ${job} does not end`);
      await qmp.execute(found.status === 'concluded' ? 'job-dismiss' : 'job-cancel', { id: job }).catch(ignoreMissing);
      await delay(20);
    }
  }

  /** Resolves when the job has ended well, rejects when it has not, or when the daemon goes away. */
  private completionOf(qmp: QmpClient, job: string): { readonly done: Promise<void>; readonly forget: () => void } {
    let forget = (): void => undefined;
    const done = new Promise<void>((resolve, reject) => {
      const off = qmp.onEvent(({ event, data }) => {
        if (data?.['device'] !== job) return;
        if (event === 'BLOCK_JOB_COMPLETED' && data['error'] === undefined) resolve();
        else if (event === 'BLOCK_JOB_COMPLETED' || event === 'BLOCK_JOB_CANCELLED')
          reject(unavailable(`job ${job}: ${String(data['error'] ?? 'cancelled')}`));
      });
      const watch = setInterval(() => {
        if (!qmp.alive) reject(unavailable('the storage daemon ended while it copied'));
      }, 500);
      forget = () => {
        off();
        clearInterval(watch);
      };
    });
    const ended = done.finally(() => forget());
    // Whoever waits meets the error; until then it is nobody's.
    ended.catch(() => undefined);
    return { done: ended, forget: () => forget() };
  }

  /** One sequence of commands at a time. */
  private exclusive<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.turn.then(work, work);
    this.turn = mine.catch(() => undefined);
    return mine;
  }
}

function ignoreMissing(error: unknown): void {
  if (
    error instanceof QmpError &&
    (error.errorClass === 'DeviceNotFound' || /not found|Cannot find|Failed to find/i.test(error.description))
  )
    return;
  throw error;
}

/** How the names begin of nodes of files that were opened anew behind a node; a name has 31 characters at most. */
function fileNodes(node: string): string {
  return `${node.slice(0, 13)}.`;
}

/** Commas in option values are written twice. */
function escaped(text: string): string {
  return text.replaceAll(',', ',,');
}

function unavailable(detail: string): DomainError {
  return new DomainError({
    kind: 'unavailable',
    code: 'StorageDaemonUnavailable',
    message: 'The storage backend is temporarily unavailable.',
    detail,
  });
}
