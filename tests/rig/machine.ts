import { execFile, execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

export const RIG_SCRIPT = join(import.meta.dirname, 'machines.sh');
/** Where the machines are: of this project, unless WARDROUND_RIG names a folder that is prepared already. */
export const RIG_DIR = resolve(process.env.WARDROUND_RIG ?? join(import.meta.dirname, '../../.rig'));

export const prepareRig = (): unknown => execFileSync('bash', [RIG_SCRIPT, 'prepare', RIG_DIR], { stdio: 'inherit' });
/** Of all logins. */
export const RIG_KEY_FILE = join(RIG_DIR, 'id');

/** What systemd calls the message that a start has ended well (sd-messages.h). */
const UNIT_STARTED = '39f53479d3a045ac8e11786248231fbf';

const run = promisify(execFile);
const rig = (...args: string[]): Promise<unknown> => run('bash', [RIG_SCRIPT, ...args]);

/** A real machine: systemd, journald, polkit, OpenSSH. */
export class RigMachine {
  readonly number: number;
  readonly host: string;

  constructor(number: number) {
    this.number = number;
    this.host = `10.77.${number}.2`;
  }

  boot = (): Promise<unknown> => rig('boot', RIG_DIR, String(this.number));
  /** As a power cut does. */
  powerOff = (): Promise<unknown> => rig('kill', RIG_DIR, String(this.number));

  /** Runs a line of shell in it, as root; what it prints. */
  async run(line: string): Promise<string> {
    const pid = readFileSync(join(RIG_DIR, `vps${this.number}/pid`), 'utf8').trim();
    const { stdout } = await run('nsenter', ['-t', pid, '-a', 'bash', '-c', line]);
    return stdout.trim();
  }

  /** Everything that is sent to it and by it is dropped, and nobody is told. */
  unplug = (): Promise<unknown> => run('ip', ['link', 'set', `vps${this.number}`, 'down']);
  plug = (): Promise<unknown> => run('ip', ['link', 'set', `vps${this.number}`, 'up']);

  isActive = async (): Promise<boolean> => (await this.run('systemctl is-active rachel8 || true')) === 'active';

  /** How often the service was started since the boot: each start has an InvocationID of its own in the journal. */
  starts = async (): Promise<number> =>
    Number(
      await this.run(
        `journalctl -b -q -o cat --output-fields=INVOCATION_ID MESSAGE_ID=${UNIT_STARTED} UNIT=rachel8.service | sort -u | wc -l`,
      ),
    );
}
