import type { Client } from 'ssh2';

/** What takes the packets once there are keys. Not part of what ssh2 publishes: another version has to be read again. */
type Protocol = {
  _onPayload: (payload: Buffer) => unknown;
  readonly requestFailure: () => void;
};

/** Source: RFC 4254, 4; RFC 4252, 7. */
const GLOBAL_REQUEST = 80;
const USERAUTH_PK_OK = 60;

/**
 * Keeps two messages from ssh2 1.17, once it has been told to connect, at which it would work as long as a host likes.
 * `hostkeys-00@openssh.com`, one of the requests that are of no use here: whatever the host calls its keys is parsed, as
 * text with patterns that backtrack, and then a signature is verified for each. And a second "this key would do", for
 * which it would sign again: `onSecondPkOk` is called instead.
 */
export function guardClient(client: Client, onSecondPkOk: () => void): void {
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
    }
    return passOn(payload);
  };
}

/** The byte after the name of the request. */
const wantsReply = (payload: Buffer): boolean => payload.length > 5 && payload[5 + payload.readUInt32BE(1)] === 1;
