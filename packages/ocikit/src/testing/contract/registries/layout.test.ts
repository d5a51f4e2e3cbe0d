import { describe, test } from 'vitest';

import { layoutTarget } from '../../../../test/layout-target.ts';
import { openLayouts } from '../../../stores/layout/index.ts';

import { describeRegistry } from '../../index.ts';

// The shared layout is in shared-layout.contract.test.ts, which `npm run contract` runs.
describeRegistry({ describe, it: test }, 'a layout for each repository', layoutTarget(openLayouts));
