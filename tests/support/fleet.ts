import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { newKeyPair } from '../../demo/key-pair.ts';
import { startSshHost, type SshHost } from '../../demo/ssh-host.ts';
import { healthyMachine, type Machine } from '../../demo/machine.ts';
import { openApp } from '../../src/lib/app.ts';
import { LOCAL_OPERATOR } from '../../src/lib/auth/actor.ts';
import { addVps } from '../../src/lib/fleet-admin/fleet-admin.ts';
import { parseVps } from '../../src/lib/fleet-admin/new-vps.ts';
import { inTerminal } from '../../src/lib/parsing/problems.ts';

export type SimulatedVps = {
  readonly machine: Machine;
  readonly host: SshHost;
  readonly commands: string[];
  logins(): number;
};

/** A login, and its private key as a file in `folder`. */
export function makeLogin(folder: string): {
  readonly publicKey: string;
  readonly keyFile: string;
  readonly privateKey: string;
} {
  const login = newKeyPair();
  const keyFile = join(folder, 'login.key');
  writeFileSync(keyFile, login.private, { mode: 0o600 });
  return { publicKey: login.public, keyFile, privateKey: login.private };
}

/** A real SSH server on loopback in front of a simulated machine; `commands` grows with what it is told to do. */
export async function startVps(
  publicKey: string,
  behaviour: Partial<Machine> = {},
  latencyMs = 5,
): Promise<SimulatedVps> {
  const machine = healthyMachine(behaviour);
  const commands: string[] = [];
  let logins = 0;
  const host = await startSshHost(machine, '127.0.0.1', publicKey, {
    latencyMs: () => latencyMs,
    onCommand: (command) => commands.push(command),
    onLogin: () => {
      logins += 1;
    },
  });
  return { machine, host, commands, logins: () => logins };
}

/** Takes each of them into the fleet, untried; gives the ids of the VPSs, in the same order. */
export async function addAll(
  environment: Record<string, string>,
  keyFile: string,
  vpss: readonly SimulatedVps[],
): Promise<string[]> {
  const app = await openApp(environment, 'server');
  try {
    const ids: string[] = [];
    for (const [index, { host }] of vpss.entries()) {
      const where = { host: '127.0.0.1', port: String(host.port), user: 'test' };
      const privateKey = readFileSync(keyFile, 'utf8');
      const parsed = parseVps({ customer: `c${index}@example.test`, ...where, privateKey });
      if ('problems' in parsed) throw new Error(inTerminal(parsed.problems).join('; '));
      ids.push((await addVps(app, LOCAL_OPERATOR, parsed.vps)).id);
    }
    return ids;
  } finally {
    app.close();
  }
}
