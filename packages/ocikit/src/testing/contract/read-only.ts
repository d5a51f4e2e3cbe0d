// Cases for a registry that refuses every change.
import { collect } from '../../model/index.ts';
import { assertManifest, equal, group, methods, rejects } from '../cases/index.ts';
import type { DefineGroup } from '../cases/index.ts';
import { pushImage, randomBlob } from '../content/index.ts';

/** The cases for a registry that refuses every change. */
export const readOnly: DefineGroup = group('a read-only registry', ['read-only'], (test) => {
  test('lists and verifies its content by Maintenance, and removes nothing', ['maintenance'], async (scene) => {
    const { registry, origin, maintenance } = scene;
    const name = scene.repository();
    const image = await pushImage(origin, name);
    const { digest } = image.descriptor;
    const listed = await collect(maintenance.manifests(name));
    equal(
      listed.map(({ descriptor }) => descriptor.digest),
      [digest],
      'the manifests',
    );
    equal((await collect(maintenance.blobs(name))).length, image.blobs.length, 'the number of listed blobs');
    equal(await maintenance.verify(name, digest), 'ok', 'a manifest');
    const unusedSince = new Date(Date.now() + 60_000);
    const refused = ['DENIED', 'UNSUPPORTED'] as const;
    await rejects(maintenance.removeUnused(name, digest, { unusedSince }), refused, 'removeUnused');
    await rejects(maintenance.lease(name, [digest]), refused, 'lease');
    await assertManifest(registry, name, image);
  });

  for (const { name: method, needs, call } of methods) {
    if (!needs.includes('writing')) continue;
    test(`refuses ${method}, and changes nothing`, async (scene) => {
      const { registry, origin } = scene;
      const name = scene.repository();
      const image = await pushImage(origin, name, { tags: ['v1'] });
      const { digest } = /blob/i.test(method) ? (image.blobs[0] ?? image).descriptor : image.descriptor;
      const there = call(registry, { repository: name, digest, tag: 'v1' });
      await rejects(there, ['DENIED', 'UNSUPPORTED'], 'content that exists');
      const other = { repository: scene.repository(), digest: randomBlob().descriptor.digest, tag: 'v2' };
      await rejects(call(registry, other), ['DENIED', 'UNSUPPORTED'], 'content that does not exist');
      await assertManifest(registry, name, image, 'v1');
      equal(await collect(registry.tags(name)), ['v1'], 'the tags');
      equal(await scene.listed(), [name], 'the repositories');
    });
  }
});
