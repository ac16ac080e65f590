/** On whose behalf something is read or done. Every read for a page takes one, and its rights are part of the query. */
export type Actor = { readonly role: 'admin' } | { readonly role: 'customer'; readonly userId: string };

/** Whoever sits at the machine itself: the command line, and the pages as long as they answer on loopback only. */
export const LOCAL_OPERATOR: Actor = { role: 'admin' };

/** How the journal names who did something. */
export const journalName = (actor: Actor): string => ('userId' in actor ? actor.userId : 'cli');
