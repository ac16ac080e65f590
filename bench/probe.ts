// `npm run bench -- probe [--host HOST --key FILE [--user USER] [--port N]]`: what a look costs the client over each kind of
// link, beside what other programs take for the same command. Against a machine with systemd, whose user may `sudo` and
// start the service over the bus; without one against OpenSSH on loopback with stubs for sudo and systemctl, and, for the
// bus, a simulated one behind ssh2.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { parseArgs } from 'node:util';
import type { LinkKind } from '../src/lib/facts/link.ts';
import { parsePrivateKey } from '../src/lib/provisioning/private-key.ts';
import { VpsLink } from '../src/lib/provisioning/vps-link.ts';
import { startSshHost } from '../tests/support/sshd.ts';
import { addressOf, startLoopbackHosts } from './loopback-fleet.ts';
import { median, quantile, report, type Figure } from './report.ts';

const { values } = parseArgs({
  options: {
    host: { type: 'string' },
    key: { type: 'string' },
    user: { type: 'string', default: 'root' },
    port: { type: 'string', default: '22' },
    json: { type: 'boolean' },
  },
});
const RUNS: Readonly<Record<LinkKind, number>> = { fresh: 100, kept: 200, bus: 1_000 };
/** Before anything is measured: what is loaded and compiled at first use. */
const WARM_UPS = 20;
const PEER_RUNS = 30;
/** How many times less than check_by_ssh. */
const BARS: Readonly<Record<LinkKind, number>> = { fresh: 4, kept: 12, bus: 40 };
const SERVICE = 'rachel8';
const OWN_KEX = 'curve25519-sha256';
const COMMAND = `sudo systemctl is-active ${SERVICE}`;
const LIMITS = { connectTimeoutMs: 10_000, commandTimeoutMs: 10_000, restartTimeoutMs: 30_000, restartSettleMs: 0 };

type Login = { readonly host: string; readonly port: number; readonly username: string; readonly privateKey: string };
type Cost = { readonly cpuMs: number; readonly tookMs: readonly number[] };

/** Processor time of this process, which does nothing else meanwhile. */
async function measure({ privateKey, ...where }: Login, kind: LinkKind): Promise<Cost> {
  const target = { ...where, privateKey: parsePrivateKey(privateKey), hostKey: null };
  const link = new VpsLink(
    { ...target, service: SERVICE, reach: 'any' },
    { limits: LIMITS, choice: kind, isKept: () => kind !== 'fresh' },
  );
  const look = async (): Promise<void> => {
    const { result } = await link.look();
    if (result.kind !== 'state' || result.activeState !== 'active') throw new Error(JSON.stringify(result));
    await (kind === 'fresh' ? link.close() : link.rest());
  };
  for (let warmUp = 0; warmUp < WARM_UPS; warmUp++) await look();
  if (link.facts.kind !== kind) throw new Error(`the link is ${link.facts.kind}: ${link.facts.detail}`);
  const tookMs: number[] = [];
  const before = process.cpuUsage();
  for (let run = 0; run < RUNS[kind]; run++) {
    const beganAtMs = performance.now();
    await look();
    tookMs.push(performance.now() - beganAtMs);
  }
  const { user, system } = process.cpuUsage(before);
  await link.close();
  return { cpuMs: (user + system) / 1_000 / RUNS[kind], tookMs };
}

const PLUGINS = '/usr/lib/nagios/plugins';
const pathOf = (program: string): string | undefined =>
  [...(process.env.PATH ?? '').split(delimiter), PLUGINS].map((folder) => join(folder, program)).find(existsSync);

type Peers = Readonly<Record<string, readonly string[]>>;

/** What each program is called with; the first word is the program. `kex`: with which options for the key exchange. */
function peersOf({ host, port, username }: Login, keyFile: string, folder: string, kex: readonly string[] = []): Peers {
  const quiet = ['BatchMode=yes', 'StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'LogLevel=ERROR'];
  const given = [...kex, ...quiet].flatMap((option) => ['-o', option]);
  const ssh = ['ssh', '-F', 'none', ...given, '-i', keyFile, '-p', String(port), '-l', username];
  const persist = ['ControlMaster=auto', `ControlPath=${folder}/master`, 'ControlPersist=60'];
  const plain = ['-o', `IdentityFile=${keyFile}`, '-o', `Port=${port}`, ...given];
  const ansible = ['-i', `${host},`, '-u', username, '--private-key', keyFile, '-e', `ansible_port=${port}`];
  const checkBy = ['check_by_ssh', '-H', host, '-p', String(port), '-l', username, '-i', keyFile, ...given];
  return {
    ssh: [...ssh, host, COMMAND],
    'ssh, ControlPersist, without its master': [...ssh, ...persist.flatMap((one) => ['-o', one]), host, COMMAND],
    check_by_ssh: [...checkBy, '-C', COMMAND],
    pdsh: ['env', `PDSH_SSH_ARGS=${plain.join(' ')} %h`, 'pdsh', '-R', 'ssh', '-w', `${username}@${host}`, COMMAND],
    ansible: ['ansible', 'all', ...ansible, '-m', 'raw', '-a', COMMAND],
  };
}

/** Processor time of one call in ms, its children's included; null where it is not installed. */
function measurePeer(words: readonly string[]): number | null {
  const at = words[0] === 'env' ? 2 : 0;
  const path = pathOf(words[at] ?? '');
  if (path === undefined) return null;
  const quoted = words.with(at, path).map((word) => `'${word.replaceAll("'", "'\\''")}'`);
  const call = `${quoted.join(' ')} </dev/null >/dev/null`;
  const script = `set -e; ${call}; i=0; while [ $i -lt ${PEER_RUNS} ]; do ${call}; i=$((i+1)); done; times`;
  const said = execFileSync('/bin/sh', ['-c', script], {
    encoding: 'utf8',
    env: { ...process.env, ANSIBLE_HOST_KEY_CHECKING: 'False' },
  });
  // The second line is of the children: minutes and seconds, as user and as system.
  const spent = said.trim().split('\n').at(-1)?.split(' ') ?? [];
  const seconds = spent.map((time) => {
    const [minutes = '', rest = ''] = time.split('m');
    return Number(minutes) * 60 + Number.parseFloat(rest);
  });
  return (seconds.reduce((sum, one) => sum + one, 0) * 1_000) / (PEER_RUNS + 1);
}

const folder = mkdtempSync(join(tmpdir(), 'wardround-bench-'));
const keyFile = join(folder, 'key');
const real = values.host !== undefined && values.key !== undefined ? { host: values.host, key: values.key } : null;
const sshd = real ? null : await startSshHost();
const simulated = real ? null : await startLoopbackHosts();
const login: Login = real
  ? { host: real.host, port: Number(values.port), username: values.user, privateKey: readFileSync(real.key, 'utf8') }
  : { host: '127.0.0.1', port: sshd?.port ?? 0, username: sshd?.user ?? '', privateKey: sshd?.privateKey ?? '' };
writeFileSync(keyFile, login.privateKey, { mode: 0o600 });
const busLogin: Login = simulated
  ? { host: addressOf(1), port: simulated.ports[0] ?? 0, username: 'test', privateKey: simulated.privateKey }
  : login;

const own = {
  fresh: await measure(login, 'fresh'),
  kept: await measure(login, 'kept'),
  bus: await measure(busLogin, 'bus'),
};
/** What OpenSSH takes by itself, against quantum computers too, costs several times as much as what there is here. */
const { ssh = [], check_by_ssh: checkBySsh = [] } = peersOf(login, keyFile, folder, [`KexAlgorithms=${OWN_KEX}`]);
const calls: Peers = {
  ...peersOf(login, keyFile, folder),
  [`ssh, ${OWN_KEX}`]: ssh,
  [`check_by_ssh, ${OWN_KEX}`]: checkBySsh,
};
const peers = Object.entries(calls).map(([name, words]) => ({ name, cpuMs: measurePeer(words) }));
simulated?.close();
await sshd?.close();
rmSync(folder, { recursive: true, force: true });

const costOf = (peer: string): number | null => peers.find(({ name }) => name === peer)?.cpuMs ?? null;
const checkByMs = costOf('check_by_ssh');
const sameKexMs = costOf(`check_by_ssh, ${OWN_KEX}`);
const missing = peers.filter(({ cpuMs }) => cpuMs === null).map(({ name }) => name);
const figuresOf = (kind: LinkKind): Figure[] => {
  const { cpuMs, tookMs } = own[kind];
  const figures = [
    { what: `${kind}: processor time of a look`, value: cpuMs, unit: 'ms' },
    { what: `${kind}: from beginning to end, median`, value: median(tookMs), unit: 'ms' },
    { what: `${kind}: 95 % within`, value: quantile(tookMs, 0.95), unit: 'ms' },
  ];
  if (checkByMs === null || sameKexMs === null) return figures;
  const bar = { atLeast: BARS[kind] };
  return [
    ...figures,
    { what: `${kind}: so many times less than check_by_ssh`, value: checkByMs / cpuMs, unit: '', bar },
    { what: `${kind}: the same with its key exchange set to ours`, value: sameKexMs / cpuMs, unit: '' },
  ];
};
report(
  'probe',
  (real ? 'a machine with systemd' : 'OpenSSH on loopback with stubs; for the bus a simulated one behind ssh2') +
    (missing.length > 0 ? `; not installed: ${missing.join(', ')}` : ''),
  [
    ...(['fresh', 'kept', 'bus'] as const).flatMap(figuresOf),
    ...peers.flatMap(({ name, cpuMs }) =>
      cpuMs === null ? [] : [{ what: `${name}: processor time of a call`, value: cpuMs, unit: 'ms' }],
    ),
  ],
);
