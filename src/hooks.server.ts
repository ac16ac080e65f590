import { building, dev } from '$app/environment';
import type { Handle, HandleServerError, ServerInit } from '@sveltejs/kit';
import { whilePersonWaits } from '$lib/db/busy';
import { startHistoryRetention } from '$lib/history/retention';
import { startGracePeriodEnforcer } from '$lib/jobs/grace-period-enforcer';
import { createLog } from '$lib/log';
import { startHealthMonitor } from '$lib/monitoring/health-checker';
import { startDispatcher } from '$lib/notifications/dispatcher';
import { startServer } from '$lib/runtime/server';
import { errorInWords } from '$lib/views/error-words';
import { answer } from './routes/answer';
import { noteTrouble } from './routes/database-trouble';
import { reportFault } from './routes/error-page';

// Runs at the start of a built server, at the first request in dev (and again after an edit), and at build time whenever
// a page is prerendered: a build has no business with the fleet.
export const init: ServerInit = async () => {
  if (building) return;
  await startServer(
    async (server) => {
      const { app } = server;
      if (app.settings.monitorEnabled) server.own(await startHealthMonitor(app));
      else log.info('health monitor is off (ENABLE_HEALTH_MONITOR=true starts it)');
      server.own(startDispatcher(app));
      server.own(startHistoryRetention(app));
      server.own(startGracePeriodEnforcer(app));
    },
    { exitAfterStop: dev },
  );
};

const log = createLog('wardround');

export const handle: Handle = ({ event, resolve }) =>
  building ? resolve(event) : whilePersonWaits(() => answer(event, resolve));

/** What nobody has expected, and a database that cannot serve, of whatever page, action or method. */
export const handleError: HandleServerError = ({ error: thrown, event, status, message }) => {
  const trouble = noteTrouble(event, thrown);
  // Only what is our fault is worth a line: strangers may ask for anything, as often as they like.
  if (trouble === null && status >= 500) reportFault(thrown, event, status);
  return trouble ?? { message: errorInWords(status, { message }).title };
};
