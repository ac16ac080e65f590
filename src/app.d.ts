import type { Actor } from './lib/auth/actor.ts';

declare global {
  namespace App {
    interface Locals {
      actor: Actor;
    }
  }
}
