// The exercise for workerd. The request names the registry.
import { exercise } from './exercise.js';

export default {
  /** @param {Request} request */
  async fetch(request) {
    const { searchParams } = new URL(request.url);
    try {
      const done = await exercise(searchParams.get('host') ?? '', searchParams.get('repository') ?? '');
      return Response.json(done);
    } catch (error) {
      return new Response(error instanceof Error ? error.stack : String(error), { status: 500 });
    }
  },
};
