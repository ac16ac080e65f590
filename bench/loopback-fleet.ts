import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { newKeyPair } from '../demo/key-pair.ts';
import { healthyMachine, type Machine } from '../demo/machine.ts';
import { startSshHost } from '../demo/ssh-host.ts';
import type { App } from '../src/lib/app.ts';
import { encryptToken, privateKeyPlace } from '../src/lib/crypto/encryption.ts';
import { write } from '../src/lib/db/client.ts';
import { subscriptions, users } from '../src/lib/db/schema.ts';

/** What a look at systemd takes on a small VPS; the network comes on top of it. */
const LATENCY_MS = 20;

/** An address of its own for each: Linux takes all of 127.0.0.0/8 for this machine, so that one listener is all of them. */
export const addressOf = (index: number): string => `127.${1 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`;

/** `own`: how many of them have a machine and a port of their own; 0: all are the same one. */
type Birth = { readonly publicKey: string; readonly own: number };
type Change =
  | { readonly hanging: readonly string[] }
  | { readonly index: number; readonly machine: Partial<Pick<Machine, 'unit' | 'network'>> };

/** Runs in the process of the hosts. */
async function serve(): Promise<void> {
  const [{ publicKey, own }] = (await once(process, 'message')) as [Birth];
  let hanging: ReadonlySet<string> = new Set();
  // Whoever asks for its bus gets it.
  const machines = Array.from({ length: Math.max(1, own) }, () => healthyMachine({ bus: 'start' }));
  const ports: number[] = [];
  for (const machine of machines) {
    const host = await startSshHost(machine, '0.0.0.0', publicKey, {
      latencyMs: () => LATENCY_MS,
      hangsAt: (address) => hanging.has(address),
    });
    ports.push(host.port);
  }
  process.on('message', (change: Change) => {
    if ('hanging' in change) hanging = new Set(change.hanging);
    else Object.assign(machines[change.index] ?? {}, change.machine);
  });
  process.on('disconnect', () => process.exit());
  process.send?.(ports);
}

/** Simulated VPSs behind a real SSH server in a process of its own, each with an address. */
export type LoopbackHosts = {
  readonly ports: readonly number[];
  readonly privateKey: string;
  /** From now on these, and no others, take a connection, and that is all they do. */
  hang(indices: readonly number[]): void;
  /** Of one with a machine of its own. */
  change(index: number, machine: Partial<Pick<Machine, 'unit' | 'network'>>): void;
  close(): void;
};

export async function startLoopbackHosts(own = 0): Promise<LoopbackHosts> {
  const login = newKeyPair();
  const hosts: ChildProcess = fork(import.meta.filename);
  const tell = (message: Birth | Change): void => void hosts.send(message);
  tell({ publicKey: login.public, own });
  const [ports] = (await once(hosts, 'message')) as [number[]];
  return {
    ports,
    privateKey: login.private,
    hang: (indices) => tell({ hanging: indices.map(addressOf) }),
    change: (index, machine) => tell({ index, machine }),
    close: () => hosts.disconnect(),
  };
}

/** Has the app watch so many of them. */
export const watchThem = (
  { db, encryptionKey }: App,
  { ports, privateKey }: LoopbackHosts,
  size: number,
): Promise<void> =>
  write(db, (tx) => {
    for (let index = 0; index < size; index++) {
      const [id, userId] = [`vps-${index}`, `user-${index}`];
      const email = `${index}@example.test`;
      const sshPrivateKey = encryptToken(privateKey, privateKeyPlace(id), encryptionKey);
      const where = {
        vpsIpAddress: addressOf(index),
        sshPort: ports[index % ports.length] ?? 0,
        sshUser: 'test',
        sshPrivateKey,
      };
      tx.insert(users).values({ id: userId, email }).run();
      tx.insert(subscriptions)
        .values({ id, userId, vpsProvisioned: true, provisioningStatus: 'ready', ...where })
        .run();
    }
  });

if (process.send && process.argv[1] === import.meta.filename) await serve();
