import { asc, eq } from 'drizzle-orm';
import type { App } from '../app.ts';
import { maintenanceWindows, type MaintenanceWindow } from '../db/schema.ts';
import type { FleetRow } from './fleet-read.ts';

/** All windows of a VPS, also those that have ended, in the order in which they begin. */
export const listWindows = ({ db }: App, { userId }: Pick<FleetRow, 'userId'>): MaintenanceWindow[] =>
  db
    .select()
    .from(maintenanceWindows)
    .where(eq(maintenanceWindows.userId, userId))
    .orderBy(asc(maintenanceWindows.startsAt))
    .all();
