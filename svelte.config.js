import adapter from '@sveltejs/adapter-node';
import { vitePreprocess } from '@sveltejs/vite-plugin-svelte';
import { basePath } from './scripts/built.js';

/** @type {import('@sveltejs/kit').Config} */
export default {
  preprocess: vitePreprocess(),
  compilerOptions: { runes: true },
  kit: {
    adapter: adapter(),
    // Not relative: pages compare where they are with where their links lead.
    paths: { base: basePath(), relative: false },
    // routes/answer.ts asks where every request that changes something comes from, whatever it calls its content.
    csrf: { trustedOrigins: ['*'] },
    // Not the project folder: a build has no business with `.env`, and nothing asks SvelteKit for what is in it.
    env: { dir: 'static' },
    csp: {
      directives: {
        'default-src': ['self'],
        'img-src': ['self', 'data:'],
        // SvelteKit's announcer of page changes hides itself with a style attribute.
        'style-src': ['self', 'unsafe-inline'],
        'object-src': ['none'],
        'base-uri': ['none'],
        'form-action': ['self'],
        'frame-ancestors': ['none'],
      },
    },
    typescript: {
      // One type check for everything that is TypeScript, not only what lies under src.
      config: (config) => ({
        ...config,
        include: [
          ...config.include,
          ...['cli', 'demo', 'scripts', 'bench', 'tests', 'lint'].map((folder) => `../${folder}/**/*.ts`),
          ...['cli', 'scripts'].map((folder) => `../${folder}/*.js`),
          '../*.ts',
        ],
      }),
    },
  },
};
