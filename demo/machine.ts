/** A simulated VPS with one service. Knows the commands that Wardround sends, and no others. */
export type Machine = {
  readonly service: string;
  unit: 'active' | 'inactive' | 'failed';
  /** What a restart does: it works, it fails, or the service dies again this many milliseconds later. */
  restart: 'works' | 'fails' | { readonly diesAfterMs: number };
  network: 'up' | 'refuses' | 'hangs';
};

export type Reply = {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly diesAfterMs?: number;
};

const reply = (exitCode: number, stdout = '', stderr = ''): Reply => ({ exitCode, stdout, stderr });

/** Carries out a command as systemd would, and gives what it prints. Source: systemctl(1). */
export function runCommand(machine: Machine, command: string): Reply {
  const { service } = machine;
  switch (command) {
    case `sudo systemctl is-active ${service}`:
      return reply(machine.unit === 'active' ? 0 : 3, `${machine.unit}\n`);
    case `sudo systemctl reset-failed ${service}`:
      return reply(0);
    case `sudo systemctl restart ${service}`:
      if (machine.restart === 'fails') {
        machine.unit = 'failed';
        return reply(1, '', `Job for ${service}.service failed because the control process exited with error code.\n`);
      }
      machine.unit = 'active';
      return machine.restart === 'works' ? reply(0) : { ...reply(0), diesAfterMs: machine.restart.diesAfterMs };
    default:
      if (command.startsWith(`systemctl show ${service} `))
        return reply(
          0,
          `LoadState=loaded\nSubState=${machine.unit === 'failed' ? 'failed' : 'dead'}\nResult=${machine.unit === 'failed' ? 'exit-code' : 'success'}\n`,
        );
      return reply(127, '', `${command}: command not found\n`);
  }
}
