import { randomInt } from 'node:crypto';
import { eq } from 'drizzle-orm';
import type { App } from '../src/lib/app.ts';
import { createAdmin } from '../src/lib/auth/accounts.ts';
import { LOCAL_OPERATOR } from '../src/lib/auth/actor.ts';
import { hashPassword, storePassword } from '../src/lib/auth/credentials.ts';
import { write } from '../src/lib/db/client.ts';
import { users } from '../src/lib/db/schema.ts';

export type Login = { readonly email: string; readonly password: string };

const ADMIN = 'admin@example.test';
const CUSTOMER = 'kestrel-foods@example.test';
const WORDS = (
  'amber anchor apple arrow autumn barley basil beacon birch bramble brook candle cedar clover copper coral cotton ' +
  'daisy ember fern field forest garden ginger harbor hazel heron honey indigo island ivory jasmine juniper kettle ' +
  'lantern lemon lilac linen maple marble meadow mint morning mosaic nutmeg oak ocean olive orchard otter pebble ' +
  'pepper pine plum poppy quartz quill raven reed river rowan saffron sage sailor shore silver sparrow spruce stone ' +
  'summer thistle timber tulip valley velvet violet walnut willow winter yarrow'
).split(' ');

/** Five words, new at each start: to be typed, and to be guessed by nobody else on this machine. */
const readablePassword = (): string => Array.from({ length: 5 }, () => WORDS[randomInt(WORDS.length)]).join('-');

/** An admin, and a password for a customer who is there already. */
export async function makeLogins(app: App): Promise<{ readonly admin: Login; readonly customer: Login }> {
  const admin = { email: ADMIN, password: readablePassword() };
  const created = await createAdmin(app, LOCAL_OPERATOR, { ...admin, name: 'Ada Ward' });
  if (created.kind !== 'created') throw new Error(`the demo's admin was not created: ${created.kind}`);
  const customer = { email: CUSTOMER, password: readablePassword() };
  const hash = await hashPassword(app, customer.password);
  await write(app.db, (tx) => {
    const user = tx.select().from(users).where(eq(users.email, CUSTOMER)).get();
    if (!user) throw new Error(`the demo has no customer ${CUSTOMER}`);
    storePassword(tx, user.id, hash);
  });
  return { admin, customer };
}
