/**
 * fast-check with a seed: the same in every run of the tests, so that none fails by chance, or the one that `npm run fuzz`
 * has drawn. Every property test imports it from here.
 */
import fc from 'fast-check';

const FIXED_SEED = 20_260_101;

const SEED = Number(process.env['PROMGATE_FUZZ_SEED'] ?? FIXED_SEED);
fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: SEED });

export default fc;
