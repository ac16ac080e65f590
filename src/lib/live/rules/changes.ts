import type { LiveEvent } from '../bus.ts';

/** What has changed since the last message. */
export type Changes = { readonly all: boolean; readonly monitor: boolean; readonly vpsIds: ReadonlySet<string> };

export const NO_CHANGES: Changes = { all: false, monitor: false, vpsIds: new Set() };

/** More than a page shows: whoever reads on may as well read everything. */
export const MOST_IDS = 200;

export function addChange(changes: Changes, event: LiveEvent): Changes {
  switch (event.kind) {
    case 'all':
      return { ...changes, all: true, vpsIds: new Set() };
    case 'monitor':
      return { ...changes, monitor: true };
    case 'outbox':
      return changes;
    case 'vps': {
      if (changes.all) return changes;
      const vpsIds = changes.vpsIds.union(new Set(event.vpsIds));
      return vpsIds.size > MOST_IDS ? { ...changes, all: true, vpsIds: new Set() } : { ...changes, vpsIds };
    }
  }
}

/** An event as it goes over the line: see "Parsing an event stream" in the HTML standard. Data is one line of JSON. */
export const encodeEvent = (name: string, data: unknown): string => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;

const EVERYTHING = encodeEvent('changed', { all: true });

/** For admins; null where there is nothing to tell. */
export function messageForAdmins({ all, monitor, vpsIds }: Changes): string | null {
  if (all) return EVERYTHING;
  if (!monitor && vpsIds.size === 0) return null;
  return encodeEvent('changed', { vps: [...vpsIds], ...(monitor ? { monitor } : {}) });
}

/** For the customer whose VPS this is: nothing of others, nothing of the monitor. */
export const messageForOwner = (vpsId: string): string => encodeEvent('changed', { vps: [vpsId] });

export const messageForAll = (): string => EVERYTHING;
