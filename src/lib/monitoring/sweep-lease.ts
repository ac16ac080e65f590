import { partOf, type App } from '../app.ts';
import { LeaseKeeper } from '../db/lease-keeper.ts';
import { createLog } from '../log.ts';

/** The right to check VPSs, which a sweep and what an admin has asked for share within a process. */
export const sweepLeaseOf = (app: App): LeaseKeeper =>
  partOf(app, 'sweep lease', () => new LeaseKeeper(app.db, 'sweep', createLog('health-checker')));
