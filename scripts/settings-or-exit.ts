import { parseSettings, type Settings } from '../src/lib/config.ts';
import { ConfigurationError, type Environment } from '../src/lib/environment.ts';

/** Before anything is built or begun: a wrong setting ends the process, and every problem is named. */
export function settingsOrExit(environment: Environment): Settings {
  try {
    return parseSettings(environment);
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    console.error(error.message);
    process.exit(1);
  }
}
