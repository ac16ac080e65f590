import { once } from 'node:events';
import net from 'node:net';
import ssh2 from 'ssh2';
import { newKeyPair } from './key-pair.ts';
import { serveMachineBus } from './machine-bus.ts';
import { runCommand, type Machine } from './machine.ts';

export type SshHost = {
  readonly port: number;
  refuse(): Promise<void>;
  /** Listens again after `refuse`. */
  accept(): Promise<void>;
  changeHostKey(): void;
  /** Ends the connections that are there. */
  hangUp(): void;
  /** From now on nothing comes through the connections that are there, and nobody is told, as behind a firewall. */
  forget(): void;
  /** Ends the bridges to the bus, as when that is started anew; the connections stay. */
  endBridges(): void;
  /** How many connections are there. */
  connections(): number;
  close(): Promise<void>;
};

/** A real SSH server in front of a simulated machine, on loopback; lets in whoever has `publicKey`. */
export async function startSshHost(
  machine: Machine,
  address: string,
  publicKey: string,
  {
    latencyMs,
    onCommand,
    onLogin,
    hangsAt = () => false,
  }: {
    readonly latencyMs: () => number;
    readonly onCommand?: (command: string) => void;
    readonly onLogin?: () => void;
    /** Where one listener has many addresses: whether the machine with this one hangs. */
    readonly hangsAt?: (address: string) => boolean;
  },
): Promise<SshHost> {
  const allowed = ssh2.utils.parseKey(publicKey);
  if (allowed instanceof Error) throw allowed;
  const sockets = new Set<net.Socket>();
  const bridges = new Set<ssh2.ServerChannel>();

  const createSshServer = (): ssh2.Server =>
    new ssh2.Server({ hostKeys: [newKeyPair().private] }, (client) => {
      client.on('error', () => undefined);
      client.on('authentication', (login) => {
        const fits = login.method === 'publickey' && login.key.data.equals(allowed.getPublicSSH());
        const signed =
          fits && login.signature && login.blob
            ? // For a signature of another form it gives an error, of which the types do not speak.
              // eslint-disable-next-line @typescript-eslint/no-unnecessary-boolean-literal-compare
              allowed.verify(login.blob, login.signature, login.hashAlgo) === true
            : fits;
        if (signed) login.accept();
        else login.reject(['publickey']);
      });
      client.on('ready', () => onLogin?.());
      client.on('session', (accept) =>
        accept().on('exec', (acceptExec, _reject, { command }) => {
          onCommand?.(command);
          // One that has hung since it let the caller in.
          if (machine.network === 'hangs') return;
          const channel = acceptExec();
          if (command === 'systemd-stdio-bridge' && machine.bus !== 'none') {
            bridges.add(channel);
            channel.on('close', () => bridges.delete(channel));
            serveMachineBus(channel, machine, latencyMs);
            return;
          }
          const { exitCode, stdout, stderr, takesMs = 0 } = runCommand(machine, command, performance.now());
          setTimeout(() => {
            channel.write(stdout);
            channel.stderr.write(stderr);
            channel.exit(exitCode);
            channel.end();
          }, latencyMs() + takesMs);
        }),
      );
    });

  let ssh = createSshServer();
  const listener = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => undefined);
    socket.setTimeout(machine.endsRestAfterMs, () => socket.destroy());
    // A machine that hangs has taken the connection, and that is all it does.
    if (machine.network === 'up' && !hangsAt(socket.localAddress ?? '')) ssh.injectSocket(socket);
  });
  await once(listener.listen(0, address), 'listening');
  const { port } = listener.address() as net.AddressInfo;

  const hangUp = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  const refuse = async (): Promise<void> => {
    hangUp();
    await once(listener.close(), 'close');
  };
  return {
    port,
    refuse,
    hangUp,
    forget: () => {
      for (const socket of sockets) socket.pause();
    },
    endBridges: () => {
      for (const bridge of bridges) {
        bridge.exit(1);
        bridge.end();
      }
    },
    connections: () => sockets.size,
    accept: async () => {
      await once(listener.listen(port, address), 'listening');
    },
    changeHostKey: () => {
      ssh = createSshServer();
      hangUp();
    },
    close: async () => {
      if (listener.listening) await refuse();
    },
  };
}
