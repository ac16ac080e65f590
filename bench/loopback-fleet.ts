import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { newKeyPair } from '../demo/key-pair.ts';
import { healthyMachine } from '../demo/machine.ts';
import { startSshHost } from '../demo/ssh-host.ts';
import type { App } from '../src/lib/app.ts';
import { LOCAL_OPERATOR } from '../src/lib/auth/actor.ts';
import { addVps } from '../src/lib/fleet-admin/fleet-admin.ts';
import { parseVps } from '../src/lib/fleet-admin/new-vps.ts';
import { inTerminal } from '../src/lib/parsing/problems.ts';

/** What a look at systemd takes on a small VPS; the network comes on top of it. */
const LATENCY_MS = 20;

/** An address of its own for each: Linux takes all of 127.0.0.0/8 for this machine, so that one listener is all of them. */
export const addressOf = (index: number): string => `127.${1 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`;

type Behaviour = { readonly publicKey: string } | { readonly hanging: readonly string[] };

/** Runs in the process of the hosts. */
async function serve(): Promise<void> {
  const [{ publicKey }] = (await once(process, 'message')) as [{ publicKey: string }];
  const hanging = new Set<string>();
  const host = await startSshHost(healthyMachine(), '0.0.0.0', publicKey, {
    latencyMs: () => LATENCY_MS,
    hangsAt: (address) => hanging.has(address),
  });
  process.on('message', (message: { hanging: readonly string[] }) => {
    for (const address of message.hanging) hanging.add(address);
  });
  process.on('disconnect', () => process.exit());
  process.send?.(host.port);
}

export type LoopbackFleet = {
  readonly size: number;
  /** From now on these take a connection, and that is all they do. */
  hang(indices: readonly number[]): void;
  close(): void;
};

/** Simulated VPSs behind a real SSH server in a process of its own, each with an address, all of them watched by the app. */
export async function openLoopbackFleet(app: App, size: number): Promise<LoopbackFleet> {
  const login = newKeyPair();
  const hosts: ChildProcess = fork(import.meta.filename);
  const tell = (behaviour: Behaviour): void => void hosts.send(behaviour);
  tell({ publicKey: login.public });
  const [port] = (await once(hosts, 'message')) as [number];
  for (let index = 0; index < size; index++) {
    const host = addressOf(index);
    const parsed = parseVps({
      customer: `${host}@example.test`,
      host,
      port: String(port),
      user: 'test',
      privateKey: login.private,
    });
    if ('problems' in parsed) throw new Error(inTerminal(parsed.problems).join('\n'));
    await addVps(app, LOCAL_OPERATOR, parsed.vps);
  }
  return {
    size,
    hang: (indices) => tell({ hanging: indices.map(addressOf) }),
    close: () => hosts.disconnect(),
  };
}

if (process.send && process.argv[1] === import.meta.filename) await serve();
