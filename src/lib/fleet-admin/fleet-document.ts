import * as z from 'zod/mini';
import { emailAddress, personName } from '../auth/account-form.ts';
import { CHANNEL_NAMES } from '../facts/message.ts';
import { isTimeZone } from '../facts/wall-clock.ts';
import { called, described, oneOf, plainText, readBy, textLike, wholeNumber } from '../parsing/fields.ts';
import { labelFilter, labelList } from '../parsing/label-fields.ts';
import { host } from '../parsing/network-fields.ts';
import { hostKeyLine } from '../provisioning/host-key.ts';
import { unitName } from '../variables.ts';
import { loginName } from '../parsing/login-name.ts';

/*
 * What a fleet file says, `wardround apply`. Each object is read by its schema here, and the schema that editors are given
 * is made of the same. Values are texts as they were written.
 */

const keyFile = described(z.string().check(z.trim(), z.minLength(1), z.maxLength(1_000)), {
  title: 'key',
  description:
    'the path of a private key, as seen from this file; "shared" for the key that the fleet shares, "generated" for one that is made for a new VPS; without it the key that is stored stays',
});
const timeZone = readBy(
  (text) => (isTimeZone(text) ? text : undefined),
  'a time zone by its IANA name, such as Europe/Oslo',
);
const time = described(
  z.string().check(z.trim(), z.maxLength(40)),
  'a time such as 2026-12-24T03:30Z, or without a zone by the clocks of time_zone',
);
const yesOrNo = textLike(/^(?:true|false)$/, 'true or false');

/** What VPSs have that do not say otherwise. */
export const Defaults = z.object({
  port: z.optional(wholeNumber(1, 65_535)),
  user: z.optional(loginName),
  service: z.optional(unitName),
  key: z.optional(keyFile),
});

export const Vps = z.object({
  customer: called(emailAddress, { description: 'the e-mail address of its customer, who has this one VPS' }),
  name: z.optional(called(personName, { description: 'the name of the customer' })),
  host,
  port: z.optional(wholeNumber(1, 65_535)),
  user: z.optional(loginName),
  service: z.optional(
    called(unitName, { description: 'the systemd unit to watch, where it is not MONITORED_SERVICE' }),
  ),
  key: z.optional(keyFile),
  host_key: z.optional(hostKeyLine),
  labels: z.optional(labelList),
  note: z.optional(plainText(500)),
});

/** With `weekly` and `for`, or with `from` and one of `until` and `for`. */
export const Window = z.object({
  weekly: z.optional(described(z.string(), 'a day and a time such as "sun 02:00"')),
  from: z.optional(time),
  until: z.optional(time),
  for: z.optional(described(z.string(), 'a length such as 90m, 2h or 1d')),
  time_zone: z.optional(timeZone),
  reason: z.optional(plainText(200)),
});
/** For every VPS that has the label when the file is applied. */
export const LabelWindow = z.extend(Window, { label: labelFilter });

export const Customer = z.object({ email: emailAddress, name: z.optional(personName) });

export const Route = z.object({
  user: called(emailAddress, { description: 'the e-mail address of the user, customer or admin, who is told' }),
  channel: oneOf(CHANNEL_NAMES),
  enabled: z.optional(yesOrNo),
  kinds: z.optional(described(z.string(), 'all, or a list of kinds of messages')),
  address: z.optional(
    described(z.string().check(z.maxLength(2_000)), "where to, instead of the channel's own address"),
  ),
});

/** The parts of a file, and what each is a list of. */
export const SECTIONS = { customers: Customer, vps: Vps, maintenance: LabelWindow, notifications: Route } as const;

export const FLEET_FILE_VERSION = '1';

/** The whole file, for the schema that editors are given. */
const Document = z.object({
  version: described(z.literal(1), 'the version of this format'),
  defaults: z.optional(described(z.clone(Defaults), 'what VPSs have that do not say otherwise')),
  customers: z.optional(described(z.array(Customer), 'customers who have no VPS yet')),
  vps: z.optional(
    described(
      z.array(
        z.extend(Vps, { maintenance: z.optional(described(z.array(Window), 'planned maintenance of this VPS')) }),
      ),
      'the VPSs of the fleet',
    ),
  ),
  maintenance: z.optional(described(z.array(LabelWindow), 'planned maintenance of all VPSs with a label')),
  notifications: z.optional(described(z.array(Route), 'who is told what, and where; without it nothing is changed')),
});

/** What may be written otherwise than as a text. */
const SHAPES: Readonly<Record<string, object>> = {
  port: { type: ['integer', 'string'], minimum: 1, maximum: 65_535 },
  enabled: { type: 'boolean' },
  labels: {
    anyOf: [
      { type: 'string' },
      { type: 'array', items: { type: 'string' }, maxItems: 16 },
      { type: 'object', additionalProperties: { type: ['string', 'number', 'null'] }, maxProperties: 16 },
    ],
  },
  kinds: { anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }] },
};

/** The JSON schema of a fleet file (draft 2020-12), for editors. */
export function fleetFileSchema(): object {
  const schema = z.toJSONSchema(Document, {
    io: 'input',
    override: ({ jsonSchema, path }) => {
      const shape = SHAPES[String(path.at(-1))];
      // Patterns are for any case, which a schema cannot say; `ask` is a word of our forms.
      const { type, pattern: _, ask: __, ...rest } = jsonSchema as Record<string, unknown>;
      for (const key of Object.keys(jsonSchema)) Reflect.deleteProperty(jsonSchema, key);
      Object.assign(jsonSchema, rest, shape ?? (type === undefined ? {} : { type }));
      if (type === 'object') Object.assign(jsonSchema, { additionalProperties: false });
    },
  });
  return { ...schema, title: 'Wardround fleet file' };
}
