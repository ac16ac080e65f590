/** A simulated VPS with one service. Knows the commands that Wardround sends, and no others. */
export type Machine = {
  readonly service: string;
  unit: 'active' | 'inactive' | 'failed' | 'activating';
  /**
   * What a restart does: it works, it fails, or so many milliseconds later the service dies again, or is up at last. A
   * restart in the middle of a start begins it anew.
   */
  restart: 'works' | 'fails' | { readonly diesAfterMs: number } | { readonly startsInMs: number };
  network: 'up' | 'refuses' | 'hangs';
  /** How often the service was started: systemd gives each start an InvocationID of its own. */
  starts: number;
  /** When it was started last, in milliseconds since the machine was booted. */
  startedAtMs: number;
};

export const healthyMachine = (): Machine => ({
  service: 'rachel8',
  unit: 'active',
  restart: 'works',
  network: 'up',
  starts: 1,
  startedAtMs: 1,
});

export type Reply = {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  /** What becomes of the unit later on, unless it is started anew before. */
  readonly later?: { readonly unit: Machine['unit']; readonly inMs: number };
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

export const showUnit = ({ unit, starts, startedAtMs }: Machine): string =>
  [
    'LoadState=loaded',
    `ActiveState=${unit}`,
    `SubState=${SUB_STATES[unit]}`,
    `Result=${unit === 'failed' ? 'exit-code' : 'success'}`,
    `ExecMainStatus=${unit === 'failed' ? 1 : 0}`,
    'NRestarts=0',
    `InvocationID=${starts.toString(16).padStart(32, '0')}`,
    'TimeoutStartUSec=1min 30s',
    `InactiveExitTimestampMonotonic=${Math.round(startedAtMs * 1_000)}`,
    `StateChangeTimestampMonotonic=${Math.round(startedAtMs * 1_000)}\n`,
  ].join('\n');

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

/** Carries out a command as systemd would, and gives what it prints. Source: systemctl(1). `uptimeMs`: since the boot. */
export function runCommand(machine: Machine, command: string, uptimeMs: number): Reply {
  const { service } = machine;
  switch (command) {
    case `sudo systemctl is-active ${service}`:
      return reply(machine.unit === 'active' ? 0 : 3, `${machine.unit}\n`);
    case `sudo systemctl reset-failed ${service} 2>/dev/null; sudo systemctl restart ${service}`:
    case `sudo systemctl restart ${service}`:
      return restart(machine, uptimeMs);
    default:
      if (command.startsWith(`systemctl show ${service} `))
        return reply(0, `${showUnit(machine)}Uptime=${(uptimeMs / 1_000).toFixed(2)}\n`);
      if (command.startsWith(`(sudo -n journalctl --unit=${service} `)) return reply(0, showJournal(machine));
      return reply(127, '', `${command}: command not found\n`);
  }
}

function restart(machine: Machine, uptimeMs: number): Reply {
  machine.starts += 1;
  machine.startedAtMs = uptimeMs;
  if (machine.restart === 'fails') {
    machine.unit = 'failed';
    const said = `Job for ${machine.service}.service failed because the control process exited with error code.\n`;
    return reply(1, '', said);
  }
  machine.unit = 'active';
  if (machine.restart === 'works') return reply(0);
  if ('diesAfterMs' in machine.restart)
    return { ...reply(0), later: { unit: 'failed', inMs: machine.restart.diesAfterMs } };
  machine.unit = 'activating';
  const { startsInMs } = machine.restart;
  return { ...reply(0), later: { unit: 'active', inMs: startsInMs }, takesMs: startsInMs };
}
