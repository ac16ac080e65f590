import type { App } from '../app.ts';
import { derivedSecret } from '../crypto/derived-secret.ts';
import { accounts, sessions, twoFactors, users, verifications } from '../db/schema.ts';
import { createLog } from '../log.ts';
import { hashGate } from './hash-gate.ts';

const log = createLog('accounts');
const DAY_S = 24 * 60 * 60;

/** Where this program tells better-auth who asks. No header of a client ever gets that far: see `asking.ts`. */
export const ADDRESS_HEADER = 'x-wardround-client-address';

async function createAuth(app: App) {
  // Loaded at first use: it takes 0.3 s, which is much for a command that has nothing to do with accounts.
  const [{ betterAuth }, { drizzleAdapter }, { hashPassword, verifyPassword }, { admin }, { twoFactor }] =
    await Promise.all([
      import('better-auth/minimal'),
      import('better-auth/adapters/drizzle'),
      import('better-auth/crypto'),
      import('better-auth/plugins/admin'),
      import('better-auth/plugins/two-factor'),
    ]);
  return betterAuth({
    appName: 'Wardround',
    baseURL: app.settings.origin,
    secret: derivedSecret(app.encryptionKey, 'sessions'),
    database: drizzleAdapter(app.db, {
      provider: 'sqlite',
      usePlural: true,
      schema: { users, sessions, accounts, verifications, twoFactors },
    }),
    emailAndPassword: {
      enabled: true,
      disableSignUp: true,
      // Here, so that there is no way around it.
      password: {
        hash: (password) => hashGate(() => hashPassword(password)),
        verify: (given) => hashGate(() => verifyPassword(given)),
      },
    },
    session: { expiresIn: 7 * DAY_S, updateAge: DAY_S },
    plugins: [admin({ defaultRole: 'customer' }), twoFactor({ issuer: 'Wardround' })],
    // The identifier of a pending sign-in is what its cookie holds: a reader of the database shall not have it.
    verification: { storeIdentifier: 'hashed' },
    // Ours counts attempts by account too, and before anything else happens: see `rate-limit.ts`.
    rateLimit: { enabled: false },
    telemetry: { enabled: false },
    advanced: { cookiePrefix: 'wardround', ipAddress: { ipAddressHeaders: [ADDRESS_HEADER] } },
    logger: { level: 'error', log: (_level, message) => log.error(message) },
  });
}

type Auth = ReturnType<typeof createAuth>;
const auths = new WeakMap<App, Auth>();

/** better-auth on the database of this app. Only `lib/auth` uses it; its own HTTP interface is not reachable. */
export function authOf(app: App): Auth {
  const auth = auths.get(app) ?? createAuth(app);
  auths.set(app, auth);
  return auth;
}
