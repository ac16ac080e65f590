import { error, type RequestEvent } from '@sveltejs/kit';

/**
 * What a form of our pages has posted; null for a request that posts nothing. Read once, before anything else looks at
 * it: a body that no browser sends ends here with a status of its own, and never as our fault. Actions find it in
 * `locals.form`.
 */
export async function readPostedForm({ request, route, url }: RequestEvent): Promise<FormData | null> {
  if (request.method !== 'POST' || route.id === null) return null;
  refuseOddAction(url);
  const type = request.headers.get('content-type') ?? '';
  const [kind = ''] = type.split(';');
  if (!KINDS.has(kind.trim().toLowerCase()))
    error(415, 'Only a form of a page can be sent here (application/x-www-form-urlencoded or multipart/form-data)');
  try {
    return await request.formData();
  } catch (problem) {
    if (isTooLarge(problem)) error(413, 'The form is too large');
    error(400, 'The form cannot be read: it is cut off, or not what its content type says');
  }
}

const KINDS = new Set(['application/x-www-form-urlencoded', 'multipart/form-data']);

/** The adapter ends the body with an error that carries this status. */
const isTooLarge = (problem: unknown): boolean =>
  problem instanceof Error && (('status' in problem && problem.status === 413) || isTooLarge(problem.cause));

/**
 * SvelteKit looks the name up in a plain object, where it finds more than our actions (`?/constructor`), and throws for
 * `?/default`.
 */
function refuseOddAction({ searchParams }: URL): void {
  const name = [...searchParams.keys()].find((key) => key.startsWith('/'))?.slice(1);
  if (name !== undefined && (name === 'default' || name in {})) error(404, 'There is no such action');
}
