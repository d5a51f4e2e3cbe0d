import { describe, test } from 'vitest';

import { layoutTarget } from '../../../../test/layout-target.ts';
import { openLayout } from '../../../stores/layout/index.ts';

import { describeRegistry } from '../../index.ts';

describeRegistry({ describe, it: test }, 'a shared layout', layoutTarget(openLayout));
