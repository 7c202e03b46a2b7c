// Arithmetic and its printing: the same digits as natively, whichever variant of libm the CPU's features select.
#include <fenv.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

int main(void) {
    double sum = 0;
    for (int i = 1; i <= 2000; ++i) {
        const double x = i / 37.0;
        sum += sin(x) * cos(x / 3) + exp(-x) + log(x) + pow(x, 1.5) + tan(x) + atan2(x, 2) + cbrt(x) + erf(x) +
               tgamma(1 / x);
    }
    printf("%.17g %a\n", sum, sum);
    printf("%f %e %g %.0f %10.3f|%-12.4e|%+g\n", 3.14159, 1e-300, 1e100, 0.5, 2.0 / 3, 12345.678, 7.0);
    printf("%Lf %Lg %La\n", 1.0L / 3, LDBL_MAX, 1.0L / 3);
    printf("%g %g %g %d\n", INFINITY, -INFINITY, NAN, isnan(sqrt(-1.0)));
    printf("%.17g %.17g %.17g\n", DBL_MIN / 3, nextafter(1, 2), fma(1.0 / 3, 3, -1));
    printf("%.17g %.17g\n", strtod("0.1", NULL), strtod("1.7976931348623157e308", NULL));
    static const int modes[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
    for (int i = 0; i < 4; ++i) {
        fesetround(modes[i]);
        volatile double third = 1.0, three = 3.0;
        printf("%.20g %g %ld\n", third / three, rint(2.5), lrint(-2.5));
    }
    fesetround(FE_TONEAREST);
    feclearexcept(FE_ALL_EXCEPT);
    volatile double zero = 0, one = 1;
    const double infinite = one / zero;
    printf("%g %d %d\n", infinite, fetestexcept(FE_DIVBYZERO) != 0, fetestexcept(FE_OVERFLOW) != 0);
    return 0;
}
