/** A simulated VPS with one service. Knows the commands that Wardround sends, and no others. */
export type Machine = {
  readonly service: string;
  unit: 'active' | 'inactive' | 'failed';
  /** What a restart does: it works, it fails, or the service dies again this many milliseconds later. */
  restart: 'works' | 'fails' | { readonly diesAfterMs: number };
  network: 'up' | 'refuses' | 'hangs';
  /** How often the service was started: systemd gives each start an InvocationID of its own. */
  starts: number;
};

export const healthyMachine = (): Machine => ({
  service: 'rachel8',
  unit: 'active',
  restart: 'works',
  network: 'up',
  starts: 1,
});

export type Reply = {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly diesAfterMs?: number;
};

const reply = (exitCode: number, stdout = '', stderr = ''): Reply => ({ exitCode, stdout, stderr });

export const showUnit = ({ unit, starts }: Machine): string =>
  [
    'LoadState=loaded',
    `ActiveState=${unit}`,
    `SubState=${unit === 'failed' ? 'failed' : 'dead'}`,
    `Result=${unit === 'failed' ? 'exit-code' : 'success'}`,
    `ExecMainStatus=${unit === 'failed' ? 1 : 0}`,
    'NRestarts=0',
    `InvocationID=${starts.toString(16).padStart(32, '0')}\n`,
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

/** Carries out a command as systemd would, and gives what it prints. Source: systemctl(1). */
export function runCommand(machine: Machine, command: string): Reply {
  const { service } = machine;
  switch (command) {
    case `sudo systemctl is-active ${service}`:
      return reply(machine.unit === 'active' ? 0 : 3, `${machine.unit}\n`);
    case `sudo systemctl reset-failed ${service} 2>/dev/null; sudo systemctl restart ${service}`:
    case `sudo systemctl restart ${service}`:
      machine.starts += 1;
      if (machine.restart === 'fails') {
        machine.unit = 'failed';
        return reply(1, '', `Job for ${service}.service failed because the control process exited with error code.\n`);
      }
      machine.unit = 'active';
      return machine.restart === 'works' ? reply(0) : { ...reply(0), diesAfterMs: machine.restart.diesAfterMs };
    default:
      if (command.startsWith(`systemctl show ${service} `)) return reply(0, showUnit(machine));
      if (command.startsWith(`(sudo -n journalctl --unit=${service} `)) return reply(0, showJournal(machine));
      return reply(127, '', `${command}: command not found\n`);
  }
}
