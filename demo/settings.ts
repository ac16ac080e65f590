import { join } from 'node:path';
import type { Environment } from '../src/lib/environment.ts';
import { DEFAULTS } from '../src/lib/variables.ts';

export const DATA_DIR = join('data', 'demo');

/** Everything apart from real use: its own data, and times in which all can be seen within three minutes. */
export const DEMO_SETTINGS = {
  DATABASE_URL: join(DATA_DIR, 'wardround.db'),
  ENCRYPTION_KEY_FILE: join(DATA_DIR, 'encryption.key'),
  ENABLE_HEALTH_MONITOR: 'true',
  // The fleet is on loopback.
  ALLOWED_ADDRESSES: 'any',
  HEALTH_CHECK_CRON: '*/10 * * * * *',
  SSH_CONNECT_TIMEOUT_MS: '2000',
  SSH_COMMAND_TIMEOUT_MS: '2000',
  // A restart that takes longer does not hold up the next sweeps.
  RESTART_TIMEOUT_MS: '4000',
  RESTART_SETTLE_MS: '2000',
  CIRCUIT_COOLDOWN_MS: '120000',
};

/**
 * The environment of the demo, from that of the shell: of what a person has set for real use only the port counts. Every
 * other setting is given, be it with its default, since the server takes from `.env` what is not.
 */
export function demoEnvironment(given: Environment): Environment {
  const port = given.PORT || DEFAULTS.PORT;
  return { ...given, ...DEFAULTS, ...DEMO_SETTINGS, PORT: port, ORIGIN: `http://localhost:${port}` };
}
