import { runCli, runCliWith } from './project.ts';

/** What every account of a test signs in with. */
export const PASSWORD = 'a password for tests';
export const ADMIN = 'admin@example.test';

/** `wardround admin create`. */
export async function createAdmin(environment: Record<string, string>, email = ADMIN): Promise<void> {
  const { exitCode, stderr } = await runCliWith(
    `${PASSWORD}\n`,
    environment,
    'admin',
    'create',
    '--email',
    email,
    '--password-stdin',
  );
  if (exitCode !== 0) throw new Error(stderr);
}

/** Gives a customer of `addAll` a password, the way a customer gets one: with an invitation, on the page. */
export async function acceptInvitation(environment: Record<string, string>, url: string, email: string): Promise<void> {
  const { stdout } = await runCli(environment, 'user', 'invite', email, '--json');
  const { link } = JSON.parse(stdout) as { link: string };
  const { pathname, search } = new URL(link);
  const response = await post(`${url}${pathname}${search}`, { password: PASSWORD });
  if (response.headers.get('location') !== '/sign-in?done=password')
    throw new Error(`the invitation of ${email} was not accepted: ${response.status}`);
}

/** Posts a form as a browser does from a page of the same site, without following where it leads. */
export const post = (
  url: string,
  fields: Record<string, string> = {},
  headers: Record<string, string> = {},
): Promise<Response> =>
  fetch(url, {
    method: 'POST',
    redirect: 'manual',
    headers: { origin: new URL(url).origin, accept: 'text/html', ...headers },
    body: new URLSearchParams(fields),
  });

/** The `Cookie` header for what an answer has set. */
export const cookieOf = (response: Response): string =>
  response.headers
    .getSetCookie()
    .map((cookie) => cookie.split(';')[0])
    .filter((cookie) => !cookie?.endsWith('='))
    .join('; ');

/** Signs in on the page; gives the `Cookie` header of the session. */
export async function signIn(url: string, email = ADMIN, password = PASSWORD): Promise<string> {
  const response = await post(`${url}/sign-in`, { email, password });
  if (response.status !== 303) throw new Error(`${email} cannot sign in: ${response.status}`);
  return cookieOf(response);
}

/** A `Cookie` header, cookie by cookie. */
export const cookiesOf = (header: string): { readonly name: string; readonly value: string }[] =>
  header.split('; ').map((cookie) => {
    const [name = '', ...value] = cookie.split('=');
    return { name, value: value.join('=') };
  });
