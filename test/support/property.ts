/**
 * fast-check with a seed: the same in every run of the tests, so that none fails by chance, or the one that `npm run fuzz`
 * has drawn. Every property test imports it from here.
 */
import fc from 'fast-check';

const FIXED_SEED = 20_260_101;

const IS_FUZZ = process.env['PROMGATE_FUZZ_SEED'] !== undefined;

const SEED = Number(process.env['PROMGATE_FUZZ_SEED'] ?? FIXED_SEED);
fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: SEED });

/** How many values a property that takes long is tried with: `few` in `npm test`, whose values are always the same. */
export const runs = (few: number, many: number): number => (IS_FUZZ ? many : few);

export default fc;
