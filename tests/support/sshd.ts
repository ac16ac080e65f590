import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import {
  appendFileSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const SSHD = '/usr/sbin/sshd';
const START_MS = 10_000;

export type KeyPair = { readonly privateKey: string; readonly publicKey: string };

/** What a unit of the host is and does. Each fact is a file of one word, which the stub `systemctl` reads. */
export type Unit = {
  /** What `is-active` prints; its exit code follows systemctl(1). */
  readonly state?: string;
  /** `LoadState`: `loaded`, `not-found`, `masked`, `bad-setting`. */
  readonly load?: string;
  readonly sub?: string;
  readonly result?: string;
  /** What `journalctl` prints of it; nothing, unless it is set. */
  readonly journal?: string;
  /** `InvocationID`: each restart that starts something appends a `+`. */
  readonly invocation?: string;
  /** `TimeoutStartUSec`; without it, nobody knows. */
  readonly timeout?: string;
  readonly onRestart?:
    | 'works'
    | 'fails'
    /** Exits with 0 and changes nothing. */
    | 'idles'
    /** Exits with 0, and the unit is dead a moment later. */
    | 'dies'
    /** The unit is activating, and `systemctl` waits, for as long as this fact stands. */
    | 'starts-slowly'
    /** Refused by systemd's start limit until `reset-failed`, after which it works. */
    | 'start-limit'
    /** The same for a unit whose last run has crashed: systemctl then gives the reason of that crash. */
    | 'start-limit-after-crash'
    /** Refused, as systemd does for a unit that it does not have, or that is masked. */
    | 'unit-missing'
    | 'unit-masked'
    /** Works, but the connection breaks before it can say so. */
    | 'breaks-connection'
    /** Takes the connection and the SSH server with it. */
    | 'takes-host-down';
};

export type Verb = 'is-active' | 'show' | 'restart' | 'reset-failed' | 'journal';

export type SshHost = {
  readonly port: number;
  readonly user: string;
  /** Of the login that is let in. */
  readonly privateKey: string;
  readonly publicKey: string;
  /** As it is pinned: `ssh-ed25519 AAAA…`. */
  shownHostKey(): string;
  /** Changes facts of a unit; one that was never set is not installed. `rachel8` is there and active from the start. */
  set(facts: Unit, unit?: string): void;
  stateOf(unit?: string): string;
  /** Every command that was asked for over SSH, in order. */
  commands(): string[];
  /** How often `systemctl <verb> <unit>` was among them, with or without sudo. */
  count(verb: Verb, unit?: string): number;
  /** Connections that reached the host, logged in or not. */
  dials(): number;
  /** Keys that were refused. */
  refusals(): number;
  /** Connections that have ended. */
  ended(): number;
  /** Lets commands with this verb wait, once they have been noted, until the returned function is called. */
  hold(verb: Verb): () => void;
  /** `verbs`: a pattern of sh(1), such as `*`. */
  refuseSudo(verbs: string, saying: string): void;
  /** Prints this before whatever a command prints, as start files of a shell do. */
  greet(text: string): void;
  allowLogin(publicKey: string): void;
  /**
   * Takes certificates of these authorities for these principals from now on, and root logs in with a forced command
   * alone. What is forced is up to them: commands are noted no more.
   */
  takeCertificates(authorities: readonly string[], principals: readonly string[]): Promise<void>;
  /** Ends the listener: connections are refused from then on, and those that are there stay. */
  stop(): Promise<void>;
  /** Breaks the connections that are there. */
  breakConnections(): void;
  /** Listens again, on the same port. */
  start(): Promise<void>;
  /** As a reinstallation does. Takes effect at the next `start`. */
  changeHostKey(type?: 'ed25519' | 'ecdsa'): void;
  close(): Promise<void>;
};

/** Runs as the forced command of every login. */
const LOGIN = `#!/bin/sh
SCRATCH_HOST=@FOLDER@ SESSION_PID=$PPID PATH=@FOLDER@/bin:$PATH
export SCRATCH_HOST SESSION_PID PATH
printf '%s\\n' "$SSH_ORIGINAL_COMMAND" >>"$SCRATCH_HOST/commands.log"
echo "$PPID" >>"$SCRATCH_HOST/sessions"
cat "$SCRATCH_HOST/greeting" 2>/dev/null
exec /bin/sh -c "$SSH_ORIGINAL_COMMAND"
`;

const SUDO = `#!/bin/sh
if [ "$1" = -n ]; then shift; fi
asked=
if [ "$1" = -l ]; then shift; asked=yes; fi
if [ "$asked" ] && [ $# = 0 ]; then echo '    (root) NOPASSWD: ALL'; exit 0; fi
refused=$(cat "$SCRATCH_HOST/sudo-refuses" 2>/dev/null)
case $2 in
  $refused) [ "$asked" ] && exit 1; cat "$SCRATCH_HOST/sudo-says" >&2; exit 1 ;;
esac
if [ "$asked" ]; then echo "/usr/bin/$*"; exit 0; fi
exec "$@"
`;

const JOURNALCTL = `#!/bin/sh
while [ -e "$SCRATCH_HOST/hold-journal" ]; do sleep 0.02; done
cat "$SCRATCH_HOST/units/\${1#--unit=}/journal" 2>/dev/null
`;

const SYSTEMCTL = `#!/bin/sh
verb=$1 name=$2 unit=$SCRATCH_HOST/units/$2
fact() { cat "$unit/$1" 2>/dev/null || echo "$2"; }
become() { echo "$1" >"$unit/state"; }
invoke() { echo "$(fact invocation 0123456789abcdef)+" >"$unit/invocation"; }
while [ -e "$SCRATCH_HOST/hold-$verb" ]; do sleep 0.02; done
case $verb in
  is-active)
    state=$(fact state inactive)
    echo "$state"
    case $state in active | reloading | refreshing) exit 0 ;; *) exit 3 ;; esac ;;
  show)
    echo "LoadState=$(fact load not-found)"
    echo "ActiveState=$(fact state inactive)"
    echo "SubState=$(fact sub dead)"
    echo "Result=$(fact result success)"
    echo "ExecMainStatus=1"
    echo "NRestarts=0"
    echo "InvocationID=$(fact invocation 0123456789abcdef)"
    echo "TimeoutStartUSec=$(fact timeout '')" ;;
  reset-failed)
    case $(fact onRestart works) in start-limit*) echo works >"$unit/onRestart" ;; esac ;;
  restart)
    case $(fact onRestart works) in start-limit*) ;; *) invoke ;; esac
    case $(fact onRestart works) in
      works) become active ;;
      dies) become failed ;;
      idles) ;;
      starts-slowly)
        become activating
        echo start >"$unit/sub"
        while [ "$(fact onRestart gone)" = starts-slowly ]; do sleep 0.02; done ;;
      fails)
        become failed
        echo "Job for $name failed because the control process exited with error code." >&2
        exit 1 ;;
      start-limit)
        become failed
        echo "Job for $name failed because start of the service was attempted too often." >&2
        exit 1 ;;
      start-limit-after-crash)
        become failed
        echo "Job for $name failed because the control process exited with error code." >&2
        exit 1 ;;
      unit-missing)
        echo "Failed to restart $name.service: Unit $name.service not found." >&2
        exit 5 ;;
      unit-masked)
        echo "Failed to restart $name.service: Unit $name.service is masked." >&2
        exit 1 ;;
      breaks-connection) become active; kill -9 "$SESSION_PID" ;;
      takes-host-down) kill "$(cat "$SCRATCH_HOST/sshd.pid")"; kill -9 "$SESSION_PID" ;;
    esac ;;
  *) echo "Unknown command verb $verb." >&2; exit 1 ;;
esac
`;

/** A fresh key as ssh-keygen writes it; `file` and `file.pub` stay on disk. */
export function createKeyPair(file: string, type: 'ed25519' | 'ecdsa' = 'ed25519'): KeyPair {
  rmSync(file, { force: true });
  execFileSync('ssh-keygen', ['-q', '-t', type, '-N', '', '-C', 'scratch', '-f', file]);
  return { privateKey: readFileSync(file, 'utf8'), publicKey: readFileSync(`${file}.pub`, 'utf8').trim() };
}

/**
 * A real OpenSSH server on 127.0.0.1 whose `sudo` and `systemctl` are stubs. It is an ordinary child process with files
 * of its own in a temporary folder: nothing of the machine's SSH set-up is read or changed.
 */
export async function startSshHost(): Promise<SshHost> {
  if (!existsSync(SSHD)) throw new Error(`${SSHD} is missing: run "apt-get install openssh-server" first`);
  // sshd wants its privilege separation folder when it starts as root; the Debian package leaves it to the init script.
  if (userInfo().uid === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });

  const folder = mkdtempSync(join(tmpdir(), 'wardround-sshd-'));
  const file = (name: string): string => join(folder, name);
  const read = (name: string): string => (existsSync(file(name)) ? readFileSync(file(name), 'utf8') : '');
  const countInLog = (line: RegExp): number => read('sshd.log').match(line)?.length ?? 0;

  const login = createKeyPair(file('login_key'));
  createKeyPair(file('host_key'));
  writeFileSync(file('authorized_keys'), `${login.publicKey}\n`);
  mkdirSync(file('bin'));
  const script = (name: string, text: string): void =>
    writeFileSync(file(name), text.replaceAll('@FOLDER@', folder), { mode: 0o755 });
  script('login.sh', LOGIN);
  script('bin/sudo', SUDO);
  script('bin/systemctl', SYSTEMCTL);
  script('bin/journalctl', JOURNALCTL);

  const set = (facts: Unit, unit = 'rachel8'): void => {
    mkdirSync(file(`units/${unit}`), { recursive: true });
    for (const [fact, word] of Object.entries(facts)) writeFileSync(file(`units/${unit}/${fact}`), `${word}\n`);
  };
  set({ state: 'active', load: 'loaded' });

  const first = await listenSomewhere(folder);
  const { port } = first;
  let { listener } = first;
  const commands = (): string[] => read('commands.log').split('\n').slice(0, -1);
  const start = async (): Promise<void> => {
    listener = await listen(folder, port);
  };
  const stop = async (): Promise<void> => {
    if (listener.exitCode !== null || listener.signalCode !== null) return;
    const exited = once(listener, 'exit');
    listener.kill();
    await exited;
  };
  return {
    port,
    user: userInfo().username,
    ...login,
    shownHostKey: () => read('host_key.pub').split(' ').slice(0, 2).join(' '),
    set,
    stateOf: (unit = 'rachel8') => read(`units/${unit}/state`).trim(),
    commands,
    count: (verb, unit = 'rachel8') =>
      commands()
        .flatMap((line) => line.split('; '))
        .filter((one) => `${one} `.replace(/^sudo /, '').startsWith(`systemctl ${verb} ${unit} `)).length,
    dials: () => countInLog(/^Connection from /gm),
    refusals: () => countInLog(/^Failed publickey for /gm),
    ended: () => countInLog(/^(Disconnected from|Connection (closed|reset) by) /gm),
    hold: (verb) => {
      writeFileSync(file(`hold-${verb}`), '');
      return () => rmSync(file(`hold-${verb}`), { force: true });
    },
    refuseSudo: (verbs, saying) => {
      writeFileSync(file('sudo-refuses'), verbs);
      writeFileSync(file('sudo-says'), `${saying}\n`);
    },
    greet: (text) => writeFileSync(file('greeting'), `${text}\n`),
    allowLogin: (publicKey) => appendFileSync(file('authorized_keys'), `${publicKey}\n`),
    stop,
    breakConnections: () => {
      for (const pid of new Set(read('sessions').split('\n').filter(Boolean))) killSession(Number(pid));
      rmSync(file('sessions'), { force: true });
    },
    start,
    takeCertificates: async (authorities, principals) => {
      writeFileSync(file('authorities'), `${authorities.join('\n')}\n`);
      writeFileSync(file('principals'), `${principals.join('\n')}\n`);
      await stop();
      await start();
    },
    changeHostKey: (type) => void createKeyPair(file('host_key'), type),
    close: async () => {
      await stop();
      // A command that still waits ends when its hold is gone, and may be writing a line meanwhile.
      rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
    },
  };
}

/** Kills what serves a connection, if it still does: its number may be another process's by now. */
function killSession(pid: number): void {
  try {
    if (readFileSync(`/proc/${pid}/cmdline`, 'latin1').startsWith('sshd')) process.kill(pid, 'SIGKILL');
  } catch {
    // It is gone.
  }
}

class PortTakenError extends Error {}

/** Below the ports that the kernel hands out: a refused connection to one of those may connect to itself. */
async function listenSomewhere(folder: string): Promise<{ port: number; listener: ChildProcess }> {
  for (let attempt = 1; ; attempt++) {
    const port = randomInt(20_000, 32_000);
    try {
      return { port, listener: await listen(folder, port) };
    } catch (error) {
      if (!(error instanceof PortTakenError) || attempt === 10) throw error;
    }
  }
}

/** Resolves once the server listens. Its log goes to a file, so that a line is there as soon as sshd has written it. */
async function listen(folder: string, port: number): Promise<ChildProcess> {
  const config = join(folder, 'sshd_config');
  writeFileSync(config, configFor(folder, port));
  const logFile = join(folder, 'sshd.log');
  const log = openSync(logFile, 'a');
  const alreadyLogged = readFileSync(logFile, 'utf8').length;
  const listener = spawn(SSHD, ['-D', '-e', '-f', config], { stdio: ['ignore', log, log] });
  closeSync(log);
  running.add(listener);
  listener.once('exit', () => running.delete(listener));
  const giveUpAt = performance.now() + START_MS;
  for (;;) {
    const said = readFileSync(logFile, 'utf8').slice(alreadyLogged);
    if (said.includes('Server listening on ')) return listener;
    if (listener.exitCode !== null || performance.now() > giveUpAt) {
      listener.kill();
      if (said.includes('Address already in use')) throw new PortTakenError(said);
      throw new Error(`sshd did not start on port ${port}: ${said}`);
    }
    await sleep(5);
  }
}

function configFor(folder: string, port: number): string {
  const lines = [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    `HostKey ${folder}/host_key`,
    `PidFile ${folder}/sshd.pid`,
    `AuthorizedKeysFile ${folder}/authorized_keys`,
    // A login shell reads the start files of this home, where there are none, and not those of the developer.
    ...(existsSync(join(folder, 'authorities'))
      ? [
          `TrustedUserCAKeys ${folder}/authorities`,
          `AuthorizedPrincipalsFile ${folder}/principals`,
          'PermitRootLogin forced-commands-only',
          `SetEnv HOME=${folder} SCRATCH_HOST=${folder} PATH=${folder}/bin:/usr/bin:/bin`,
        ]
      : [`ForceCommand ${folder}/login.sh`, `SetEnv HOME=${folder}`, 'PermitRootLogin yes']),
    'StrictModes no',
    'UsePAM no',
    'PermitUserRC no',
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    'UseDNS no',
    'MaxStartups 100',
    // From here on connections and refused keys are logged.
    'LogLevel VERBOSE',
    // Since OpenSSH 9.8, and on from the start: the refused logins of a test would shut out those after them.
    ...(penalises() ? ['PerSourcePenalties no'] : []),
  ];
  return `${lines.join('\n')}\n`;
}

let knowsPenalties: boolean | null = null;
/** An sshd that does not know the option says so before it misses its host keys. */
const penalises = (): boolean =>
  (knowsPenalties ??= !spawnSync(SSHD, ['-t', '-f', '/dev/null', '-o', 'PerSourcePenalties=no'], {
    encoding: 'utf8',
  }).stderr.includes('PerSourcePenalties'));

const running = new Set<ChildProcess>();
// A test run that is cut short leaves no server behind.
process.once('exit', () => running.forEach((child) => child.kill('SIGKILL')));
