import type { Actor } from './lib/auth/actor.ts';
import type { Asking } from './lib/auth/asking.ts';
import type { SignedIn } from './lib/auth/session.ts';

declare global {
  namespace App {
    interface Locals {
      asking: Asking;
      /** Null on public routes, as long as nobody is signed in. */
      signedIn: SignedIn | null;
      actor: Actor | null;
      /** What was posted; null for a request that posts nothing. */
      form: FormData | null;
    }
  }
}
