/** As it stands in a `From:` header: a name for people, which may be empty, and the address itself. */
export type Mailbox = { readonly name: string; readonly address: string };

// One address, in plain ASCII, without quotes, comments, commas or control characters: nothing that could become a
// second recipient or a header of its own.
const ADDRESS = /^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,188}[A-Za-z0-9])?$/;
const NAMED = /^(?<name>[^<>\p{Cc}\u2028\u2029]{0,100})<(?<address>[^<>]+)>$/u;

export const isMailAddress = (text: string): boolean => ADDRESS.test(text);

/** `Name <address>` or `address`; null for anything else, above all for line breaks and second addresses. */
export function parseMailbox(text: string): Mailbox | null {
  const named = NAMED.exec(text.trim())?.groups;
  const address = (named?.address ?? text).trim();
  const name = (named?.name ?? '').trim().replace(/^"(.*)"$/, '$1');
  return isMailAddress(address) ? { name, address } : null;
}
