import type { Client } from 'ssh2';

/** What ssh2 does about a packet of the host. Not part of its published interface: another version has to be read again. */
type Handlers = {
  GLOBAL_REQUEST: (protocol: { requestFailure: () => void }, name: string, wantReply: boolean) => void;
  USERAUTH_PK_OK: (...packet: unknown[]) => void;
};

/**
 * Takes from ssh2 1.17, once it has been told to connect, two things that it would do as often as a host asks for them.
 * Its `hostkeys-00@openssh.com` parses, as text with patterns that backtrack, whatever the host calls its keys, then
 * verifies a signature for each: minutes for one packet. Nothing here needs that; a host may ask for nothing. And each
 * "this key would do" makes it sign once more, for which `onSecondPkOk` is called instead.
 */
export function guardClient(client: Client, onSecondPkOk: () => void): void {
  const { _handlers: handlers } = (client as unknown as { _protocol: { _handlers: Handlers } })._protocol;
  handlers.GLOBAL_REQUEST = (protocol, _name, wantReply) => {
    if (wantReply) protocol.requestFailure();
  };
  const sign = handlers.USERAUTH_PK_OK;
  let hasSigned = false;
  handlers.USERAUTH_PK_OK = (...packet) => {
    if (hasSigned) {
      onSecondPkOk();
      return;
    }
    hasSigned = true;
    sign(...packet);
  };
}
