import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { newKeyPair } from '../demo/key-pair.ts';
import { healthyMachine } from '../demo/machine.ts';
import { startSshHost } from '../demo/ssh-host.ts';
import type { App } from '../src/lib/app.ts';
import { encryptToken, privateKeyPlace } from '../src/lib/crypto/encryption.ts';
import { write } from '../src/lib/db/client.ts';
import { subscriptions, users } from '../src/lib/db/schema.ts';

/** What a look at systemd takes on a small VPS; the network comes on top of it. */
const LATENCY_MS = 20;

/** An address of its own for each: Linux takes all of 127.0.0.0/8 for this machine, so that one listener is all of them. */
export const addressOf = (index: number): string => `127.${1 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`;

type Behaviour = { readonly publicKey: string } | { readonly hanging: readonly string[] };

/** Runs in the process of the hosts. */
async function serve(): Promise<void> {
  const [{ publicKey }] = (await once(process, 'message')) as [{ publicKey: string }];
  let hanging: ReadonlySet<string> = new Set();
  const host = await startSshHost(healthyMachine(), '0.0.0.0', publicKey, {
    latencyMs: () => LATENCY_MS,
    hangsAt: (address) => hanging.has(address),
  });
  process.on('message', (message: { hanging: readonly string[] }) => {
    hanging = new Set(message.hanging);
  });
  process.on('disconnect', () => process.exit());
  process.send?.(host.port);
}

/** Simulated VPSs behind a real SSH server in a process of its own, each with an address. */
export type LoopbackHosts = {
  readonly port: number;
  readonly privateKey: string;
  /** From now on these, and no others, take a connection, and that is all they do. */
  hang(indices: readonly number[]): void;
  close(): void;
};

export async function startLoopbackHosts(): Promise<LoopbackHosts> {
  const login = newKeyPair();
  const hosts: ChildProcess = fork(import.meta.filename);
  const tell = (behaviour: Behaviour): void => void hosts.send(behaviour);
  tell({ publicKey: login.public });
  const [port] = (await once(hosts, 'message')) as [number];
  return {
    port,
    privateKey: login.private,
    hang: (indices) => tell({ hanging: indices.map(addressOf) }),
    close: () => hosts.disconnect(),
  };
}

/** Has the app watch so many of them. */
export const watchThem = (
  { db, encryptionKey }: App,
  { port, privateKey }: LoopbackHosts,
  size: number,
): Promise<void> =>
  write(db, (tx) => {
    for (let index = 0; index < size; index++) {
      const [id, userId] = [`vps-${index}`, `user-${index}`];
      const email = `${index}@example.test`;
      const sshPrivateKey = encryptToken(privateKey, privateKeyPlace(id), encryptionKey);
      const where = { vpsIpAddress: addressOf(index), sshPort: port, sshUser: 'test', sshPrivateKey };
      tx.insert(users).values({ id: userId, email }).run();
      tx.insert(subscriptions)
        .values({ id, userId, vpsProvisioned: true, provisioningStatus: 'ready', ...where })
        .run();
    }
  });

if (process.send && process.argv[1] === import.meta.filename) await serve();
