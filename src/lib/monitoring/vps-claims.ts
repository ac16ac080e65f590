/**
 * Which VPSs this process has in hand right now: the sweep and what an admin has asked for must not work on the same one
 * at the same time. Other processes are kept out by the lease.
 */
const inHand = new Map<string, { readonly freed: Promise<void>; readonly free: () => void }>();
/** When each VPS was last given back, by `performance.now()`. */
const freedAtMs = new Map<string, number>();

function claim(id: string): void {
  const { promise: freed, resolve: free } = Promise.withResolvers<void>();
  inHand.set(id, { freed, free });
}

/** Takes the VPS unless somebody has it, or has had it since `sinceMs`: then it has a newer result already. */
export function tryClaim(id: string, sinceMs: number): boolean {
  if (inHand.has(id) || (freedAtMs.get(id) ?? -Infinity) >= sinceMs) return false;
  claim(id);
  return true;
}

/** Takes the VPS as soon as nobody has it. */
export async function claimWhenFree(id: string): Promise<void> {
  for (let held = inHand.get(id); held; held = inHand.get(id)) await held.freed;
  claim(id);
}

export function giveBack(id: string): void {
  const held = inHand.get(id);
  inHand.delete(id);
  freedAtMs.set(id, performance.now());
  held?.free();
}
