import type { IncomingMessage } from 'node:http';
import type { Actor } from './lib/auth/actor.ts';
import type { Asking } from './lib/auth/asking.ts';
import type { SignedIn } from './lib/auth/session.ts';

declare global {
  namespace App {
    interface Error {
      message: string;
      /** What to do, where it is more than the status tells. */
      text?: string;
      /** Where it is another one than SvelteKit would give. */
      status?: number;
    }
    /** Of adapter-node; under `vite dev` there is none. */
    interface Platform {
      readonly req: IncomingMessage;
    }
    interface Locals {
      asking: Asking;
      /** Null on public routes, as long as nobody is signed in. */
      signedIn: SignedIn | null;
      actor: Actor | null;
      /** Set when the database could not serve this request. */
      trouble?: Error;
      /** What was posted; null for a request that posts nothing. */
      form: FormData | null;
    }
  }
}
