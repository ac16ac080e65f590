import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

export type ReceivedRequest = {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
};

export type HttpReceiver = {
  readonly url: string;
  readonly requests: readonly ReceivedRequest[];
  /** What it does with each request from now on; at first it answers 204. */
  answer(work: (response: ServerResponse, request: ReceivedRequest) => void): void;
  close(): Promise<void>;
};

/** A real HTTP server on loopback: a webhook, a heartbeat, or a stand-in for the Telegram API. */
export async function startHttpReceiver(): Promise<HttpReceiver> {
  const requests: ReceivedRequest[] = [];
  let answer: (response: ServerResponse, request: ReceivedRequest) => void = (response) =>
    void response.writeHead(204).end();
  const server = createServer((incoming, response) => {
    void text(incoming).then((body) => {
      const request = { method: incoming.method ?? '', path: incoming.url ?? '', headers: incoming.headers, body };
      requests.push(request);
      answer(response, request);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    answer: (work) => {
      answer = work;
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
