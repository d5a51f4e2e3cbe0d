// The exercise for browsers. The server of the page is the registry too.
import { exercise } from './exercise.js';

try {
  const done = await exercise(location.host, new URLSearchParams(location.search).get('repository') ?? '');
  await fetch('/done', { method: 'POST', body: JSON.stringify(done) });
} catch (error) {
  await fetch('/failed', { method: 'POST', body: error instanceof Error ? `${error.stack}` : String(error) });
}
