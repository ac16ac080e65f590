import type { BusValue, BusVariant } from '../src/lib/provisioning/bus/rules/values.ts';

/** A simulated VPS with one service. Knows what Wardround asks and orders, and nothing else. */
export type Machine = {
  readonly service: string;
  /** Whoever sets it tells all who watch. */
  unit: 'active' | 'inactive' | 'failed' | 'activating';
  /**
   * What a restart does: it works, it fails, or so many milliseconds later the service dies again, or is up at last. A
   * restart in the middle of a start begins it anew.
   */
  restart: 'works' | 'fails' | { readonly diesAfterMs: number } | { readonly startsInMs: number };
  network: 'up' | 'refuses' | 'hangs';
  /** Whether a login gets the system bus, and may start the service there, as by a rule of polkit, or only read. */
  bus: 'none' | 'read' | 'start';
  /** A connection that rests for so long is ended, as by `ClientAliveInterval` or a firewall; 0: never. */
  endsRestAfterMs: number;
  /** How often the service was started: systemd gives each start an InvocationID of its own. */
  starts: number;
  /** How often systemd has started it by itself since somebody else did. */
  restarts: number;
  /** When it was started last, and when the state changed, in milliseconds since the machine was booted. */
  startedAtMs: number;
  changedAtMs: number;
  /** Called whenever the unit has changed, by whatever means. */
  readonly watchers: Set<() => void>;
};

export function healthyMachine(behaviour: Partial<Machine> = {}): Machine {
  let unit: Machine['unit'] = 'active';
  const machine: Machine = {
    service: 'rachel8',
    get unit() {
      return unit;
    },
    set unit(next) {
      unit = next;
      machine.changedAtMs = performance.now();
      for (const tell of machine.watchers) tell();
    },
    restart: 'works',
    network: 'up',
    bus: 'none',
    endsRestAfterMs: 0,
    starts: 1,
    restarts: 0,
    startedAtMs: 1,
    changedAtMs: 1,
    watchers: new Set(),
  };
  return Object.assign(machine, behaviour);
}

export type Reply = {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  /** How long the command takes. */
  readonly takesMs?: number;
};

const SUB_STATES: Record<Machine['unit'], string> = {
  active: 'running',
  inactive: 'dead',
  failed: 'failed',
  activating: 'start',
};

const reply = (exitCode: number, stdout = '', stderr = ''): Reply => ({ exitCode, stdout, stderr });

/** What systemd knows of the unit, by the interface of its bus and the name there. */
export function describeUnit({
  unit,
  starts,
  restarts,
  startedAtMs,
  changedAtMs,
}: Machine): Record<string, BusVariant> {
  const typed = (signature: string, value: BusValue): BusVariant => ({ signature, value });
  const momentOf = (atMs: number): BusVariant => typed('t', BigInt(Math.round(atMs * 1_000)));
  const hasFailed = unit === 'failed';
  return {
    'Unit.LoadState': typed('s', 'loaded'),
    'Unit.AllowIsolate': typed('b', false),
    'Unit.ActiveState': typed('s', unit),
    'Unit.SubState': typed('s', SUB_STATES[unit]),
    'Service.Result': typed('s', hasFailed ? 'exit-code' : 'success'),
    'Service.ExecMainCode': typed('i', hasFailed ? 1 : 0),
    'Service.ExecMainStatus': typed('i', hasFailed ? 1 : 0),
    'Service.NRestarts': typed('u', restarts),
    'Unit.InvocationID': typed('ay', Buffer.from(starts.toString(16).padStart(32, '0'), 'hex')),
    'Service.TimeoutStartUSec': typed('t', 90_000_000n),
    'Unit.InactiveExitTimestampMonotonic': momentOf(startedAtMs),
    'Unit.StateChangeTimestampMonotonic': momentOf(changedAtMs),
  };
}

export const showUnit = (machine: Machine): string =>
  Object.entries(describeUnit(machine))
    .map(([name, { value }]) => [name.slice(name.indexOf('.') + 1), value] as const)
    .map(([name, value]) => `${name}=${name === 'TimeoutStartUSec' ? '1min 30s' : printed(value)}\n`)
    .join('');

const printed = (value: BusValue): string => {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  return typeof value === 'string' ? value : JSON.stringify(typeof value === 'bigint' ? Number(value) : value);
};

/** What the journal of such a service looks like, in the form `short-iso`. */
export const showJournal = ({ unit, service }: Machine, nowMs = Date.now()): string => {
  const secondsAgo = (seconds: number): string =>
    `${new Date(nowMs - seconds * 1_000).toISOString().slice(0, 19)}+0000`;
  const lines =
    unit === 'failed'
      ? [
          `${service}[812]: listening on /run/${service}.sock`,
          `${service}[812]: error: cannot open /var/lib/${service}/queue.db: No space left on device`,
          `systemd[1]: ${service}.service: Main process exited, code=exited, status=1/FAILURE`,
          `systemd[1]: ${service}.service: Failed with result 'exit-code'.`,
        ]
      : [`systemd[1]: Stopping ${service}.service...`, `systemd[1]: Stopped ${service}.service.`];
  return lines.map((line, index) => `${secondsAgo(lines.length - index)} vps ${line}\n`).join('');
};

/** What a login is told that asks sudo what it may: the lines of docs/operations.md. */
function showRights({ service }: Machine): string {
  const unit = (verb: string): string => `/usr/bin/systemctl ${verb} ${service}`;
  const journal = `/usr/bin/journalctl --unit=${service} --lines=50 --no-pager --quiet --output=short-iso`;
  const [look, restart, reset] = ['is-active', 'restart', 'reset-failed'].map(unit);
  const answers = { uid: 1000, groups: 'demo', look, restart, reset, journal, stop: '', other: '', any: '' };
  const listed = `    (root) NOPASSWD: ${[look, restart, reset, journal].join(', ')}\n`;
  return `${Object.entries(answers)
    .map(([name, said]) => `${name}=${said}\n`)
    .join('')}${listed}`;
}

/** Carries out a command as systemd would, and gives what it prints. Source: systemctl(1). `uptimeMs`: since the boot. */
export function runCommand(machine: Machine, command: string, uptimeMs: number): Reply {
  const { service } = machine;
  switch (command) {
    case `sudo systemctl is-active ${service}`:
      return reply(machine.unit === 'active' ? 0 : 3, `${machine.unit}\n`);
    case `sudo systemctl reset-failed ${service} 2>/dev/null; sudo systemctl restart ${service}`:
    case `sudo systemctl restart ${service}`:
      return startUnit(machine, uptimeMs);
    default:
      if (command.startsWith(`systemctl show ${service} `))
        return reply(0, `${showUnit(machine)}Uptime=${(uptimeMs / 1_000).toFixed(2)}\n`);
      if (command.startsWith(`(sudo -n journalctl --unit=${service} `)) return reply(0, showJournal(machine));
      if (command.startsWith('sh -c ') && command.includes('sudo -n -l')) return reply(0, showRights(machine));
      return reply(127, '', `${command}: command not found\n`);
  }
}

/** Starts the service anew, whether it runs or not. */
export function startUnit(machine: Machine, uptimeMs = performance.now()): Reply {
  machine.starts += 1;
  machine.restarts = 0;
  machine.startedAtMs = uptimeMs;
  const { restart, starts } = machine;
  const becomeLater = (unit: Machine['unit'], inMs: number): void => {
    const become = (): void => {
      if (machine.starts === starts) machine.unit = unit;
    };
    setTimeout(become, inMs).unref();
  };
  if (restart === 'fails') {
    machine.unit = 'failed';
    const said = `Job for ${machine.service}.service failed because the control process exited with error code.\n`;
    return reply(1, '', said);
  }
  if (typeof restart === 'object' && 'startsInMs' in restart) {
    machine.unit = 'activating';
    becomeLater('active', restart.startsInMs);
    return { ...reply(0), takesMs: restart.startsInMs };
  }
  machine.unit = 'active';
  if (typeof restart === 'object') becomeLater('failed', restart.diesAfterMs);
  return reply(0);
}

/** Forgives its failure, and the limit of starts. */
export function resetFailed(machine: Machine): void {
  if (machine.unit === 'failed') machine.unit = 'inactive';
}
