import type { Client } from 'ssh2';

/** What takes the packets once there are keys. Not part of what ssh2 publishes: another version has to be read again. */
type Protocol = {
  _onPayload: (payload: Buffer) => unknown;
  readonly requestFailure: () => void;
};

/** Source: RFC 4254, 4; RFC 4252, 5.4 and 7. */
const GLOBAL_REQUEST = 80;
const USERAUTH_BANNER = 53;
const USERAUTH_PK_OK = 60;

export type LoginNews = {
  /** The key would do, and the login has been signed. */
  readonly onSigned: () => void;
  /** For which ssh2 would sign again. */
  readonly onSecondPkOk: () => void;
  /** What the host wants to be read after that; before, it is a notice to everybody. */
  readonly onRemark: (text: string) => void;
};

/**
 * Keeps two messages from ssh2 1.17, once it has been told to connect, at which it would work as long as a host likes.
 * `hostkeys-00@openssh.com`, one of the requests that are of no use here: whatever the host calls its keys is parsed, as
 * text with patterns that backtrack, and then a signature is verified for each. And a second "this key would do". Tells how
 * the login goes meanwhile.
 */
export function guardClient(client: Client, { onSigned, onSecondPkOk, onRemark }: LoginNews): void {
  const { _protocol: protocol } = client as unknown as { readonly _protocol: Protocol };
  const passOn = protocol._onPayload;
  let hasSigned = false;
  protocol._onPayload = (payload) => {
    if (payload[0] === GLOBAL_REQUEST) {
      if (wantsReply(payload)) protocol.requestFailure();
      return undefined;
    }
    if (payload[0] === USERAUTH_PK_OK) {
      if (hasSigned) {
        onSecondPkOk();
        return undefined;
      }
      hasSigned = true;
      onSigned();
    }
    if (payload[0] === USERAUTH_BANNER && hasSigned) onRemark(readString(payload));
    return passOn(payload);
  };
}

/** The byte after the name of the request. */
const wantsReply = (payload: Buffer): boolean => payload.length > 5 && payload[5 + payload.readUInt32BE(1)] === 1;

/** The first field of a message. */
const readString = (payload: Buffer): string =>
  payload.length < 5 ? '' : payload.subarray(5, 5 + payload.readUInt32BE(1)).toString('utf8');
