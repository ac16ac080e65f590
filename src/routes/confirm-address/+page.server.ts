import { fail } from '@sveltejs/kit';
import { defaultApp } from '$lib/app';
import { addressOfLink, confirmAddress } from '$lib/notifications/address-confirmation';
import type { Actions, PageServerLoad } from './$types';

const tokenIn = (url: URL): string => url.searchParams.get('token') ?? '';

export const load: PageServerLoad = async ({ url }) => ({
  address: addressOfLink((await defaultApp()).db, tokenIn(url), new Date()) ?? null,
});

export const actions: Actions = {
  default: async ({ url }) => {
    const confirmed = await confirmAddress(await defaultApp(), tokenIn(url), new Date());
    // The page itself says that the link does not work.
    return confirmed === undefined ? fail(400, { confirmed: null }) : { confirmed };
  },
};
