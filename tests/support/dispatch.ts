import { openApp } from '../../src/lib/app.ts';
import { readEnvironment } from '../../src/lib/environment.ts';
import { startDispatcher } from '../../src/lib/notifications/dispatcher.ts';

// A process that does nothing but send what waits in the outbox, to be killed at the worst moment.
const app = await openApp(readEnvironment(), 'server');
const dispatcher = startDispatcher(app);
process.once('SIGTERM', () => {
  void dispatcher.stop(new AbortController().signal).then(() => app.close());
});
