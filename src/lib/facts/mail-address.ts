/** As it stands in a `From:` header: a name for people, which may be empty, and the address itself. */
export type Mailbox = { readonly name: string; readonly address: string };

// One address without quotes, comments, lists or invisible characters: nothing that could become a second recipient or a
// header of its own. Letters beyond ASCII are left to the mail server (RFC 6531).
const ADDRESS = /^[^\s@<>()[\],;:\\"\p{C}]{1,64}@[^\s@<>()[\],;:\\"\p{C}]{1,190}$/u;
const NAMED = /^(?<name>[^<>\p{C}\u2028\u2029]{0,100})<(?<address>[^<>]+)>$/u;

export const isMailAddress = (text: string): boolean => ADDRESS.test(text);

/** `Name <address>` or `address`; null for anything else, above all for line breaks and second addresses. */
export function parseMailbox(text: string): Mailbox | null {
  const named = NAMED.exec(text.trim())?.groups;
  const address = (named?.address ?? text).trim();
  const name = (named?.name ?? '').trim().replace(/^"(.*)"$/, '$1');
  return isMailAddress(address) ? { name, address } : null;
}
