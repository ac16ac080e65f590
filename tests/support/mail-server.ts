import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { text as readAll } from 'node:stream/consumers';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { parseMail, type ReceivedMail } from './parse-mail.ts';

/** What the server does with whoever comes. */
export type MailBehaviour =
  | 'accept'
  /** Nobody listens. */
  | 'refuse'
  /** Connections are taken, and then nothing is ever said. */
  | 'hang'
  /** The whole mail is taken, and then nothing is said: the sender cannot know. */
  | 'hang_after_mail'
  /** A no with that code at that command, and what it says besides. */
  | { readonly at: 'from' | 'rcpt' | 'data'; readonly code: number; readonly says?: string };

export type MailServer = {
  readonly url: string;
  readonly port: number;
  /** What it has taken with 250, in order. */
  readonly mails: readonly ReceivedMail[];
  /** How many connections there have been. */
  connections(): number;
  behave(behaviour: MailBehaviour): Promise<void>;
  /** Called with each mail before its 250; the 250 waits for it. */
  beforeAnswer(work: (mail: ReceivedMail) => Promise<void> | void): void;
  close(): Promise<void>;
};

/** A real SMTP server on loopback. `options`: TLS and logins, as smtp-server takes them. */
export async function startMailServer(options: SMTPServerOptions = {}): Promise<MailServer> {
  const mails: ReceivedMail[] = [];
  let behaviour: MailBehaviour = 'accept';
  let connections = 0;
  let beforeAnswer: (mail: ReceivedMail) => Promise<void> | void = () => undefined;
  let server: SMTPServer | null = null;

  const refusal = (at: 'from' | 'rcpt' | 'data'): Error | null =>
    typeof behaviour === 'object' && behaviour.at === at
      ? Object.assign(new Error(behaviour.says ?? (behaviour.code < 500 ? 'try again later' : 'never')), {
          responseCode: behaviour.code,
        })
      : null;
  const make = (): SMTPServer =>
    new SMTPServer({
      authOptional: true,
      disabledCommands: ['STARTTLS'],
      // A killed client must not hold up the end of a test.
      closeTimeout: 50,
      logger: false,
      ...options,
      onConnect: (_session, done) => {
        connections += 1;
        if (behaviour !== 'hang') done();
      },
      onMailFrom: (_address, _session, done) => done(refusal('from')),
      onRcptTo: (_address, _session, done) => done(refusal('rcpt')),
      onData: (stream, session, done) => {
        void readAll(stream).then(async (raw) => {
          const no = refusal('data');
          if (no) return done(no);
          if (behaviour === 'hang_after_mail') return undefined;
          const mail = parseMail(
            raw,
            session.envelope.rcptTo.map(({ address }) => address),
          );
          await beforeAnswer(mail);
          mails.push(mail);
          return done(null);
        });
      },
    });
  const listen = async (port: number): Promise<SMTPServer> => {
    const made = make();
    // A client that is killed or gives up is no trouble of the server.
    made.on('error', () => undefined);
    made.listen(port, '127.0.0.1');
    await once(made.server, 'listening');
    return made;
  };
  const stop = async (): Promise<void> => {
    const stopped = server;
    server = null;
    if (stopped) await new Promise<void>((resolve) => stopped.close(resolve));
  };

  server = await listen(0);
  const { port } = server.server.address() as AddressInfo;
  return {
    url: `${options.secure ? 'smtps' : 'smtp'}://127.0.0.1:${port}`,
    port,
    mails,
    connections: () => connections,
    behave: async (next) => {
      behaviour = next;
      if (next === 'refuse') await stop();
      else server ??= await listen(port);
    },
    beforeAnswer: (work) => {
      beforeAnswer = work;
    },
    close: stop,
  };
}
