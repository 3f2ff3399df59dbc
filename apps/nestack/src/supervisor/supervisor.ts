import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { readIfThere, writeAtomically } from '../cloud/files';
import { layoutOf } from '../cloud/layout';
import { KeptProcess } from './kept-process';
import { askSupervisor, type ProcessSpec, type SupervisorAnswer, type SupervisorRequest } from './protocol';

/**
 * Keeps the processes of one cloud running until told to shut down through its socket. What it keeps is on disk: killed
 * and started again, it takes its processes over without touching them. Resolves when it has shut down.
 */
export async function supervise(stateDir: string, note: (text: string) => void): Promise<void> {
  const layout = layoutOf(stateDir);
  mkdirSync(layout.run, { recursive: true });
  if (await answers(layout.supervisorSocket)) {
    note('another supervisor runs already');
    return;
  }
  const kept = new Map<string, KeptProcess>();
  const keep = (spec: ProcessSpec): KeptProcess => {
    const process = new KeptProcess(spec, { run: layout.run, log: layout.log }, note);
    kept.set(spec.name, process);
    return process;
  };
  const save = (): void =>
    writeAtomically(layout.supervisorState, JSON.stringify([...kept.values()].map((one) => one.spec)), 0o600);

  for (const spec of JSON.parse(readIfThere(layout.supervisorState) ?? '[]') as ProcessSpec[])
    await keep(spec).resume();

  let finish: () => void = () => undefined;
  const finished = new Promise<void>((resolve) => (finish = resolve));
  const perform = async (request: SupervisorRequest): Promise<boolean> => {
    switch (request.op) {
      case 'status':
        return false;
      case 'ensure': {
        const process = kept.get(request.spec.name) ?? keep(request.spec);
        const started = await process.ensure(request.spec);
        save();
        return started;
      }
      case 'stop':
        await kept.get(request.name)?.stop();
        return false;
      case 'remove':
        await kept.get(request.name)?.stop();
        kept.delete(request.name);
        save();
        return false;
      case 'shutdown':
        // In reverse: services before the broker and the database that they drain into.
        for (const process of [...kept.values()].reverse()) await process.stop();
        kept.clear();
        save();
        return false;
    }
  };
  const answer = async (request: SupervisorRequest): Promise<SupervisorAnswer> => {
    try {
      const started = await perform(request);
      return { ok: true, pid: process.pid, started, processes: [...kept.values()].map((one) => one.status()) };
    } catch (error) {
      return { ok: false, error: error instanceof Error ? error.message : String(error) };
    }
  };
  const server = await listen(layout.supervisorSocket, async (socket, request) => {
    socket.end(`${JSON.stringify(await answer(request))}\n`);
    if (request.op === 'shutdown') finish();
  });
  // Only its socket ends it: a signal sent to the terminal's group is not meant for the cloud.
  process.on('SIGINT', () => undefined);
  process.on('SIGHUP', () => undefined);
  process.on('SIGTERM', () => void perform({ op: 'shutdown' }).then(finish));
  note(`supervisor ready, pid ${process.pid}`);
  await finished;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  rmSync(layout.supervisorSocket, { force: true });
}

async function answers(socketPath: string): Promise<boolean> {
  try {
    await askSupervisor(socketPath, { op: 'status' }, 5000);
    return true;
  } catch {
    // Nobody there, or a socket that a killed one left behind.
    return false;
  }
}

function listen(
  socketPath: string,
  handle: (socket: Socket, request: SupervisorRequest) => Promise<void>,
): Promise<Server> {
  rmSync(socketPath, { force: true });
  const server = createServer((socket) => {
    let text = '';
    socket.setEncoding('utf8');
    socket.on('error', () => undefined);
    socket.on('data', (data: string) => {
      text += data;
      const end = text.indexOf('\n');
      if (end < 0) return;
      const request = JSON.parse(text.slice(0, end)) as SupervisorRequest;
      text = '';
      void handle(socket, request);
    });
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(socketPath, () => {
      chmodSync(socketPath, 0o600);
      resolve(server);
    });
  });
}
