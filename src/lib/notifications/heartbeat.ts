import type { Settings } from '../config.ts';
import { messageOf, type Log } from '../log.ts';
import { sendHttp } from './http-request.ts';

const TIMEOUT_MS = 10_000;

/**
 * Gives what calls HEARTBEAT_URL, if it is set, so that somebody else notices when these calls stop. It never throws; it
 * logs a failure once, and once more when it works again. The address may hold a token and is not logged.
 */
export function createHeartbeat({ notifications }: Settings, log: Log): (timeoutMs?: number) => Promise<void> {
  let failing = false;
  return async (timeoutMs = TIMEOUT_MS) => {
    if (notifications.heartbeatUrl === null) return;
    const problem = await callProblem(notifications.heartbeatUrl, timeoutMs);
    if (problem !== null && !failing) log.error(`the heartbeat does not get through: ${problem}`);
    if (problem === null && failing) log.info('the heartbeat gets through again');
    failing = problem !== null;
  };
}

async function callProblem(url: string, timeoutMs: number): Promise<string | null> {
  try {
    const result = await sendHttp({ method: 'GET', url }, { signal: new AbortController().signal, timeoutMs });
    if (result.kind === 'no_answer') return result.reason;
    return result.status >= 200 && result.status < 300 ? null : `HEARTBEAT_URL answered with status ${result.status}`;
  } catch (error) {
    return messageOf(error);
  }
}
