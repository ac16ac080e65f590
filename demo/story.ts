import type { Machine } from './machine.ts';

/** The fleet, in the order in which it is swept. What goes wrong lies close together, so that a sweep stays short. */
export const CUSTOMERS = [
  'Kestrel Foods',
  'Nordlys AS',
  'Casa Verde',
  'Bluebird Travel',
  'Delta Tutors',
  'Atelier Mirel',
  'Fjord Coffee',
  'Hafen Logistik',
  'Eikon Studio',
  'Granada Dental',
  'Harbor Yoga',
  'Ivory Pianos',
  'Juniper Books',
  'Kobalt Design',
  'Lumen Optics',
  'Mistral Sailing',
  'Nimbus Weather',
  'Olive & Thyme',
  'Pixel Foundry',
  'Quarry Stone',
  'Rowan Clinic',
  'Saffron Kitchen',
  'Tundra Gear',
  'Umbra Films',
] as const;

export type Customer = (typeof CUSTOMERS)[number];

/** Hosts that are not like the others. */
export const MANNERS: Partial<Readonly<Record<Customer, Partial<Machine>>>> = {
  // Half the time between two sweeps: no connection to it can be kept.
  'Umbra Films': { endsRestAfterMs: 5_000 },
};

export type Scene = {
  readonly afterS: number;
  readonly customer: Customer;
  readonly what: string;
  readonly change: Partial<Omit<Machine, 'service'>> | 'new host key';
};

/** What happens by itself, in seconds after the server has come up. Sweeps come each 10 s, a cooldown is 2 min. */
export const STORY: readonly Scene[] = [
  {
    afterS: 12,
    customer: 'Kestrel Foods',
    what: 'the service stops; one restart brings it back',
    change: { unit: 'inactive' },
  },
  {
    afterS: 12,
    customer: 'Nordlys AS',
    what: 'the service fails and no restart helps',
    change: { unit: 'failed', restart: 'fails' },
  },
  {
    afterS: 12,
    customer: 'Casa Verde',
    what: 'the service dies 4 s after every restart (crash loop)',
    change: { unit: 'failed', restart: { diesAfterMs: 4_000 } },
  },
  { afterS: 22, customer: 'Atelier Mirel', what: 'the host refuses connections', change: { network: 'refuses' } },
  { afterS: 22, customer: 'Fjord Coffee', what: 'the host takes connections and hangs', change: { network: 'hangs' } },
  { afterS: 32, customer: 'Hafen Logistik', what: 'the host shows another host key', change: 'new host key' },
  {
    afterS: 42,
    customer: 'Eikon Studio',
    what: 'the service stops, and needs 45 s to start',
    change: { unit: 'inactive', restart: { startsInMs: 45_000 } },
  },
  {
    afterS: 56,
    customer: 'Bluebird Travel',
    what: 'the service is killed; it is started again within a second, before the next sweep',
    change: { unit: 'failed' },
  },
  { afterS: 75, customer: 'Kestrel Foods', what: 'the service stops once more', change: { unit: 'inactive' } },
  { afterS: 120, customer: 'Atelier Mirel', what: 'the host answers again', change: { network: 'up' } },
  { afterS: 140, customer: 'Fjord Coffee', what: 'the host answers again', change: { network: 'up' } },
];
